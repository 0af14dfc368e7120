import { type ErrorStatus, nodePath, type TunnelStatus } from '../../daemon/control/api.ts';
import { connectDaemon, fromErrorStatus } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { isSelected } from '../../heroku/formation.ts';
import type { Environment } from '../../runtime/environment.ts';
import { formatRtt } from '../terminal/units.ts';
import { cookieVariable } from '../way/variables.ts';
import { broken, type Check, type Finding, ok } from './check.ts';

export interface PingContext {
  readonly running: TunnelStatus;
  /** The dynos and types that are looked at; empty: all. */
  readonly selectors: readonly string[];
  readonly env: Environment;
}

const MAX_NODES = 16;
const PING_MS = 10_000;

/** The nodes of a tunnel that is up, by the way that local nodes take. */
export const PING_CHECKS: readonly Check<PingContext>[] = [
  { id: 'ping', title: 'ping', look: lookAtPings },
];

/** Those behind the dynos that are looked at. */
export function nodesToPing({ running, selectors }: Omit<PingContext, 'env'>) {
  if (running.state !== 'up') return [];
  return running.nodes.filter(({ dyno }) => dyno === null || isSelected(dyno, selectors));
}

async function lookAtPings({ env, ...what }: PingContext, signal: AbortSignal) {
  const nodes = nodesToPing(what);
  if (nodes.length === 0) return undefined;
  const cookie = cookieVariable(env);
  const client = await connectDaemon(daemonPaths(env), { signal });
  try {
    const pongs: string[] = [];
    for (const node of nodes.slice(0, MAX_NODES)) {
      const { name } = node;
      const params = {
        node: nodePath(what.running.name, node),
        timeoutMs: PING_MS,
        ...(cookie ? { cookie } : {}),
      };
      const { rttMs, error } = await client.call('ping', params, { signal });
      if (error !== null) return pang(name, error);
      pongs.push(rttMs === null ? name : `${name} ${formatRtt(rttMs)}`);
    }
    return ok(`pong: ${pongs.join(', ')}`);
  } finally {
    client.close();
  }
}

function pang(name: string, error: ErrorStatus): Finding {
  return broken(fromErrorStatus({ ...error, message: `pang: ${name}: ${error.message}` }));
}
