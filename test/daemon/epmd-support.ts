import net from 'node:net';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { aliveAnswer } from '../support/alive-answer.ts';

export const LOCAL = '127.0.0.1';

const alive = (name: string, highest = 6) =>
  encodeEpmdRequest({
    kind: 'alive',
    node: { name, port: 4000, visible: true, highest, lowest: 5, extra: new Uint8Array(0) },
  });

/** Registers by hand; the socket has to stay open. */
export async function register(port: number, name: string, highest?: number, address = LOCAL) {
  const socket = net.connect(port, address);
  socket.on('error', () => undefined);
  socket.write(alive(name, highest));
  const answer = aliveAnswer();
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    const given = answer.push(chunk as Buffer);
    if (given !== undefined) return { socket, ...given };
  }
  throw new Error('closed without an answer');
}
