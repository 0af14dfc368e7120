import type { EpmdAddress } from '../runtime/epmd-client.ts';
import { LOCAL_ADDRESS } from './addresses.ts';

const EPMD_PORT = 4_369;

/**
 * The machine's own epmd: where ERL_EPMD_PORT says, else 4369. A shell that was led to us has our own port there; that is no epmd to
 * pass questions on to.
 */
export function upstreamEpmd(
  erlEpmdPort: string | undefined,
  ours: readonly (number | undefined)[],
): EpmdAddress {
  const port = /^\d{1,5}$/.test(erlEpmdPort ?? '') ? Number(erlEpmdPort) : EPMD_PORT;
  const usable = port > 0 && port < 65_536 && !ours.includes(port);
  return { host: LOCAL_ADDRESS, port: usable ? port : EPMD_PORT };
}
