import type { Socket } from 'node:net';

/** What `encodeFrames` gave, in as few packets as it takes. Nothing once the socket has ended. */
export function sendParts(socket: Socket, parts: readonly Buffer[]): void {
  if (!socket.writable) return;
  socket.cork();
  for (const part of parts) socket.write(part);
  socket.uncork();
}
