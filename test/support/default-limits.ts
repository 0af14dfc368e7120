import { type DaemonLimits, daemonLimits } from '../../src/daemon/limits.ts';

/** A daemon's limits where nobody has set any, for parts of it that are tested alone. */
export const DEFAULT_LIMITS: DaemonLimits = daemonLimits({});
