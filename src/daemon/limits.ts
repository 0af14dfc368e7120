import { EpmuxError } from '../protocol/errors.ts';
import { BACKOFF_DEFAULTS } from '../runtime/backoff.ts';
import type { Environment } from '../runtime/environment.ts';
import { type LimitsOf, type LimitTable, limitsFrom, settingsOf } from '../runtime/limits.ts';
import { SESSION_LIMITS } from '../runtime/session-limits.ts';

const MIB = 1024 * 1024;

/** What EPMUX_LIMITS sets for a daemon that starts; docs/bounds.md says what happens at each. */
export const DAEMON_LIMITS = {
  tunnels: { standard: 256, least: 1, most: 10_000 },
  /** Nodes of one dyno that are led to. */
  nodes: { standard: 512, least: 1, most: 10_000 },
  /** Local connections to one node. */
  nodeConnections: { standard: 1_024, least: 1, most: 100_000 },
  ...SESSION_LIMITS,
  /** For a whole connection attempt. */
  attemptMs: { standard: 30_000, least: 1_000, most: 600_000 },
  /** The first wait between attempts, and the longest. */
  reconnectFirstMs: { standard: BACKOFF_DEFAULTS.firstMs, least: 50, most: 60_000 },
  reconnectMaxMs: { standard: BACKOFF_DEFAULTS.maxMs, least: 50, most: 3_600_000 },
  controlClients: { standard: 64, least: 2, most: 10_000 },
  /** Of one client at once. */
  controlCalls: { standard: 16, least: 1, most: 10_000 },
  controlIdleMs: { standard: 600_000, least: 1_000, most: 86_400_000 },
  /** Clients of the virtual epmd besides the local nodes registered there, and these. */
  epmdClients: { standard: 256, least: 1, most: 10_000 },
  epmdNodes: { standard: 256, least: 1, most: 10_000 },
  epmdRequestMs: { standard: 10_000, least: 100, most: 600_000 },
  /** Commands over the links. */
  execProcesses: { standard: 64, least: 1, most: 10_000 },
  /** Without an answer from the worker, which is then killed. */
  hangMs: { standard: 30_000, least: 500, most: 86_400_000 },
  logFileBytes: { standard: 5 * MIB, least: 4_096, most: 1_024 * MIB },
  /** With the current one. */
  logFiles: { standard: 3, least: 1, most: 100 },
} as const satisfies LimitTable;

export type DaemonLimits = LimitsOf<typeof DAEMON_LIMITS>;

const LIMITS_VARIABLE = 'EPMUX_LIMITS';

/** Throws CONFIG_INVALID. */
export function daemonLimits(env: Environment): DaemonLimits {
  const settings = settingsOf(env[LIMITS_VARIABLE]);
  const limits = limitsFrom(DAEMON_LIMITS, settings, LIMITS_VARIABLE, 'CONFIG_INVALID');
  const { reconnectFirstMs: first, reconnectMaxMs: most } = limits;
  if (first > most) {
    const message = `${LIMITS_VARIABLE}: reconnect-first-ms (${first}) is longer than reconnect-max-ms (${most})`;
    throw new EpmuxError('CONFIG_INVALID', message, { hint: 'set both: see docs/bounds.md' });
  }
  return limits;
}
