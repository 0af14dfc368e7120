import { type Clock, systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { CookieSurroundings } from './cookie-places.ts';
import { listen } from './listener.ts';
import type { AgentOptions } from './options.ts';
import type { PipeSource } from './pipe-source.ts';
import { AgentSessions } from './sessions.ts';
import { serveStdio } from './stdio.ts';

/** How long the sessions' last words may take to leave. */
const STOP_MS = 1_500;

/** The dyno's side, running. */
export interface Tunnel {
  /** The port it listens on, if it does. */
  readonly port: number | undefined;
  /** As `PipeSource.ended`; also when a pushed agent is not needed any more. */
  readonly ended: Promise<void>;
  /** Says goodbye to every session; settles within STOP_MS. Idempotent. */
  stop(): Promise<void>;
}

function openSource(
  options: AgentOptions,
  sessions: AgentSessions,
  clock: Clock,
  log: Logger,
): Promise<PipeSource> {
  const greet = sessions.greet.bind(sessions);
  return options.stdio
    ? Promise.resolve(serveStdio(greet, clock))
    : listen(options, clock, log, greet);
}

/**
 * `surroundings`: where cookies are looked for, by default those of this process. Errors:
 * PORT_TAKEN, PERMISSION_DENIED, and USAGE for an address that is not this host's.
 */
export async function startTunnel(
  options: AgentOptions,
  secret: Uint8Array,
  log: Logger,
  surroundings?: CookieSurroundings,
): Promise<Tunnel> {
  const clock = systemClock;
  const sessions = new AgentSessions({ options, secret, clock, log, surroundings });
  const source = await openSource(options, sessions, clock, log);
  // Whoever pushed it attaches at once: what it then wants to know is known by then.
  if (options.pushed !== undefined) sessions.lookAhead();
  const stop = async (): Promise<void> => {
    try {
      sessions.close();
    } finally {
      // Nobody is let in any more, whatever failed.
      await source.stop(STOP_MS);
    }
  };
  const { over } = sessions;
  let stopped: Promise<void> | undefined;
  return {
    port: source.port,
    ended: over === undefined ? source.ended : Promise.race([source.ended, over]),
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
