import { EpmuxError } from '../protocol/errors.ts';
import { BACKOFF_DEFAULTS } from '../runtime/backoff.ts';
import type { Environment } from '../runtime/environment.ts';
import { type LimitsOf, type LimitTable, limitsFrom, settingsOf } from '../runtime/limits.ts';
import { SESSION_LIMITS } from '../runtime/session-limits.ts';

const MIB = 1024 * 1024;

/** What EPMUX_LIMITS sets for a daemon that starts; docs/bounds.md says what happens at each. */
export const DAEMON_LIMITS = {
  tunnels: { default: 256, min: 1, max: 10_000 },
  /** Nodes of one dyno that are led to. */
  nodes: { default: 512, min: 1, max: 10_000 },
  /** Local connections to one node. */
  nodeConnections: { default: 1_024, min: 1, max: 100_000 },
  ...SESSION_LIMITS,
  /** For a whole connection attempt. */
  attemptMs: { default: 30_000, min: 1_000, max: 600_000 },
  /** The first wait between attempts, and the longest. */
  reconnectFirstMs: { default: BACKOFF_DEFAULTS.firstMs, min: 50, max: 60_000 },
  reconnectMaxMs: { default: BACKOFF_DEFAULTS.maxMs, min: 50, max: 3_600_000 },
  controlClients: { default: 64, min: 2, max: 10_000 },
  /** Of one client at once. */
  controlCalls: { default: 16, min: 1, max: 10_000 },
  controlIdleMs: { default: 600_000, min: 1_000, max: 86_400_000 },
  /** Clients of the virtual epmd besides the local nodes registered there, and these. */
  epmdClients: { default: 256, min: 1, max: 10_000 },
  epmdNodes: { default: 256, min: 1, max: 10_000 },
  epmdRequestMs: { default: 10_000, min: 100, max: 600_000 },
  /** Commands over the links. */
  execProcesses: { default: 64, min: 1, max: 10_000 },
  /** Without an answer from the worker, which is then killed. */
  hangMs: { default: 30_000, min: 500, max: 86_400_000 },
  logFileBytes: { default: 5 * MIB, min: 4_096, max: 1_024 * MIB },
  /** With the current one. */
  logFiles: { default: 3, min: 1, max: 100 },
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
