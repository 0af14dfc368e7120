import type { Clock } from '../runtime/clock.ts';
import type { Descriptors } from '../runtime/descriptors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { SessionPort } from '../session/types.ts';
import type { Addresses } from './addresses.ts';
import type { TunnelSpec } from './control/api.ts';
import type { Dynos } from './dynos.ts';
import type { DaemonLimits } from './limits.ts';
import type { NameTable } from './names.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';

/** What the tunnels of one daemon share. */
export interface TunnelParts {
  readonly addresses: Addresses;
  readonly names: NameTable;
  /** Throws USAGE or CONFIG_INVALID when the way can't be understood. */
  readonly createDynos: (spec: TunnelSpec, secrets: TunnelSecrets) => Dynos;
  readonly createSession: (id: Uint8Array) => SessionPort;
  readonly limits: DaemonLimits;
  /** Of this process. */
  readonly descriptors: Descriptors;
  /** This user's own cookie, which local nodes have. */
  readonly localCookie: () => Promise<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}
