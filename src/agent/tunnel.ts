import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { BOOT_ID_BYTES, WireCode } from '../protocol/constants.ts';
import type { EpmuxError } from '../protocol/errors.ts';
import { LOOPBACK } from '../runtime/address.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { Descriptors } from '../runtime/descriptors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { sessionConfigOf } from '../runtime/session-limits.ts';
import { SOFTWARE } from '../runtime/version.ts';
import { Session } from '../session/session.ts';
import type { CookieSurroundings } from './cookie-places.ts';
import { Greeter } from './greeter.ts';
import { HostNodes } from './host-nodes.ts';
import { listen } from './listener.ts';
import type { AgentOptions } from './options.ts';
import type { PipeSource } from './pipe-source.ts';
import { PushedLife } from './pushed.ts';
import { SessionRegistry } from './registry.ts';
import { serveStdio } from './stdio.ts';
import { serveTarget } from './targets.ts';

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
  greeter: Greeter,
  clock: Clock,
  log: Logger,
): Promise<PipeSource> {
  const greet = (pipe: BytePipe): Promise<EpmuxError | undefined> => greeter.greet(pipe);
  return options.stdio
    ? Promise.resolve(serveStdio(greet, clock))
    : listen(options, clock, log, greet);
}

/** `surroundings`: where cookies are looked for, by default those of this process. Errors: PORT_TAKEN, PERMISSION_DENIED, and USAGE for an address that is not this host's. */
export async function startTunnel(
  options: AgentOptions,
  secret: Uint8Array,
  log: Logger,
  surroundings?: CookieSurroundings,
): Promise<Tunnel> {
  const clock = systemClock;
  const epmd = { host: LOOPBACK, port: options.epmdPort };
  const { limits } = options;
  const config = sessionConfigOf(limits, { graceMs: options.graceMs });
  const life = options.pushed === undefined ? undefined : new PushedLife(clock, options.graceMs);
  const descriptors = new Descriptors(() => clock.now());
  const nodes = new HostNodes({
    epmd,
    clock,
    log,
    surroundings,
    most: limits.nodes,
    onChange: (directory) => registry.publish(directory),
  });
  const { watcher } = nodes;
  let attached = 0;
  const registry = new SessionRegistry({
    clock,
    log,
    createSession: (id) => new Session('agent', config, Buffer.from(id, 'hex'), clock.now()),
    directory: () => watcher.directory,
    onIncoming: (stream) =>
      void serveTarget(stream, {
        epmd,
        descriptors,
        nodes,
        allow: options.allow,
        stallMs: options.stallMs,
        nodeSilenceMs: limits.nodeSilenceMs,
        clock,
        log,
      }),
    onAttached: (sessions) => {
      if (sessions === 0) watcher.stop();
      else if (sessions > attached) watcher.start();
      attached = sessions;
      life?.onAttached(sessions);
    },
    onEnded: (reason, left) => life?.onEnded(reason, left),
    limits,
  });
  const greeter = new Greeter({
    secret,
    about: { software: SOFTWARE, bootId: randomBytes(BOOT_ID_BYTES), hostName: hostname() },
    clock,
    log,
    onOpened: (opened) => registry.attach(opened),
    limits,
  });
  const source = await openSource(options, greeter, clock, log);
  // Whoever pushed it attaches at once: what it then wants to know is known by then.
  if (options.pushed !== undefined) watcher.start();
  let stopped: Promise<void> | undefined;
  return {
    port: source.port,
    ended: life === undefined ? source.ended : Promise.race([source.ended, life.over]),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };

  async function stop(): Promise<void> {
    try {
      life?.close();
      greeter.close();
      registry.goodbye({ code: WireCode.SHUTDOWN, text: 'the agent stops' });
      watcher.stop();
    } finally {
      // Nobody is let in any more, whatever failed.
      await source.stop(STOP_MS);
    }
  }
}
