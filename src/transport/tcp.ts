import type { Socket } from 'node:net';
import { EpmuxError } from '../protocol/errors.ts';
import { type Address, hostPort } from '../runtime/address.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import { CarrierLife } from './carrier-life.ts';
import type { Dialer } from './dial.ts';
import type { Carrier, Transport } from './transport.ts';

/**
 * A port that leads straight to an agent. The carrier is no more than the address: each pipe is a
 * connection of its own.
 */
export function tcpTransport(to: Address, dial: Dialer): Transport {
  const target = `tcp://${hostPort(to)}`;
  return { target, connect: async () => tcpCarrier(to, dial, target) };
}

function tcpCarrier(to: Address, dial: Dialer, label: string): Carrier {
  const life = new CarrierLife(label);
  const sockets = new Set<Socket>();
  return {
    label,
    dial: undefined,
    exec: undefined,
    async openAgentPipe(signal) {
      const socket = await life.during(signal, (either) => dial(to, either));
      // Closed between the dialer's success and this turn.
      if (life.closed) {
        socket.destroy();
        throw life.closedError();
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return duplexPipe(socket, label);
    },
    onClosed: (listener) => life.onClosed(listener),
    close() {
      const error = new EpmuxError('PIPE_LOST', `the way to ${label} was closed`);
      if (life.end(undefined)) for (const socket of sockets) socket.destroy(error);
    },
  };
}
