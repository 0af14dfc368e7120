import type { AddressInfo, Server } from 'node:net';

/**
 * Listens on a free loopback port and prints it. The process ends at SIGTERM, or when its stdin
 * does, and so with whoever started it.
 */
export function serveUntilStdinEnds(server: Server): void {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
  const end = (): never => process.exit(0);
  process.once('SIGTERM', end);
  process.stdin.on('end', end).on('error', end).resume();
}
