import type { AgentChoice } from '../../../src/daemon/control/api.ts';
import type { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import { DynoLink } from '../../../src/daemon/links/dyno-link.ts';
import type { LinkMemory } from '../../../src/daemon/memory.ts';
import type { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { SESSION_DEFAULTS } from '../../../src/session/config.ts';
import { Session } from '../../../src/session/session.ts';
import type { Transport } from '../../../src/transport/transport.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';

/** What links have told. */
export class SeenOfLink {
  readonly steps: string[] = [];
  readonly failures: EpmuxError[] = [];
  readonly log = new RecordingLogger();
  nodes: string[] | undefined;
}

export interface SearchingLinkOptions {
  readonly choice: AgentChoice;
  readonly epmdPort: number;
  readonly transport: () => Transport;
  readonly secret: string | undefined;
  readonly inherited: Omit<LinkMemory, 'id'> | undefined;
  readonly bundle: AgentBundle;
}

/** A link to a host, as a tunnel has it; not started. */
export function searchingLink(options: SearchingLinkOptions, seen: SeenOfLink): DynoLink {
  return new DynoLink({
    ...options,
    dyno: null,
    secret: async () => options.secret,
    createSession: (id) => new Session('daemon', SESSION_DEFAULTS, id, systemClock.now()),
    limits: DEFAULT_LIMITS,
    clock: systemClock,
    logger: seen.log,
    handlers: {
      onChange: () => undefined,
      onAttemptFailed: (error) => seen.failures.push(error),
      onStep: (step) => seen.steps.push(step),
      onDirectory: (directory) => {
        seen.nodes = directory?.nodes.map(({ name }) => name);
      },
    },
  });
}
