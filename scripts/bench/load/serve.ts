import type { AddressInfo, Server } from 'node:net';

/** Listens on a free loopback port and prints it. The process ends when its stdin does, and so with whoever started it. */
export function serveUntilStdinEnds(server: Server): void {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
  process.stdin
    .on('end', () => process.exit(0))
    .on('error', () => process.exit(0))
    .resume();
}
