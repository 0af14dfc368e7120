import { type Address, EPMD_PORT, LOOPBACK, portOf } from '../runtime/address.ts';
import type { Environment } from '../runtime/environment.ts';

/**
 * What leads local nodes to us: the port of our epmd, where one is known from before, and the
 * inetrc file.
 */
interface Ours {
  readonly epmdPort: number | undefined;
  readonly inetrc: string;
}

/**
 * The machine's own epmd: where ERL_EPMD_PORT says, else 4369. A shell that was led to us has a
 * port of ours there, maybe one of long ago: that is no epmd to pass questions on to.
 */
export function upstreamEpmd(env: Environment, { epmdPort, inetrc }: Ours): Address {
  const port = portOf(env['ERL_EPMD_PORT'] ?? '') ?? EPMD_PORT;
  const isOurs = port === epmdPort || env['ERL_INETRC'] === inetrc;
  return { host: LOOPBACK, port: isOurs ? EPMD_PORT : port };
}
