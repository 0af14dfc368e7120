import type { Socket } from 'node:net';
import type { EpmdNode, EpmdRequest } from '../erlang/epmd.ts';
import { EpmdRequestParser, encodeNamesAnswer, encodePortAnswer } from '../erlang/epmd-server.ts';
import { type LoopbackServer, listenOnLoopback } from './loopback.ts';

const SILENCE_MS = 5_000;

/** An epmd that knows one visible node, which never goes. Nothing can register with it. */
export function startStandInEpmd(name: string, port: number): Promise<LoopbackServer> {
  const extra = new Uint8Array(0);
  const node: EpmdNode = { name, port, visible: true, highest: 6, lowest: 6, extra };
  const server = listenOnLoopback((socket) => {
    const parser = new EpmdRequestParser();
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('data', (chunk) => {
      try {
        const request = parser.push(chunk);
        if (request !== undefined) answer(request, socket);
      } catch {
        // What it can't understand epmd hangs up on.
        socket.destroy();
      }
    });
  });

  const answer = async (request: EpmdRequest, socket: Socket): Promise<void> => {
    if (request.kind === 'port') {
      socket.end(encodePortAnswer(request.name === name ? node : undefined));
    } else if (request.kind === 'names') {
      socket.end(encodeNamesAnswer({ epmdPort: (await server).port, names: [node] }));
    } else {
      socket.destroy();
    }
  };
  return server;
}
