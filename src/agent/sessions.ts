import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { BOOT_ID_BYTES, WireCode } from '../protocol/constants.ts';
import type { EpmuxError } from '../protocol/errors.ts';
import { LOOPBACK } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { Descriptors } from '../runtime/descriptors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { sessionConfigOf } from '../runtime/session-limits.ts';
import type { IncomingStream } from '../runtime/session-stream.ts';
import { SOFTWARE } from '../runtime/version.ts';
import { Session } from '../session/session.ts';
import type { CookieSurroundings } from './cookie-places.ts';
import { Greeter } from './greeter.ts';
import { HostNodes } from './host-nodes.ts';
import type { AgentOptions } from './options.ts';
import { PushedLife } from './pushed.ts';
import { SessionRegistry } from './registry.ts';
import { serveTarget } from './targets.ts';

export interface AgentSessionsOptions {
  readonly options: AgentOptions;
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where cookies are looked for; default: those of this process. */
  readonly surroundings: CookieSurroundings | undefined;
}

/** Who has proved itself has a session here, is told of this host's nodes, and is led to them. */
export class AgentSessions {
  readonly #parts: AgentSessionsOptions;
  readonly #life: PushedLife | undefined;
  readonly #descriptors: Descriptors;
  readonly #nodes: HostNodes;
  readonly #registry: SessionRegistry;
  readonly #greeter: Greeter;
  #attached = 0;

  constructor(parts: AgentSessionsOptions) {
    this.#parts = parts;
    const { options, secret, clock, log, surroundings } = parts;
    const { limits, graceMs, pushed } = options;
    const config = sessionConfigOf(limits, { graceMs });
    this.#life = pushed === undefined ? undefined : new PushedLife(clock, graceMs);
    this.#descriptors = new Descriptors(() => clock.now());
    this.#nodes = new HostNodes({
      epmd: this.#epmd,
      clock,
      log,
      surroundings,
      most: limits.nodes,
      onChange: (directory) => this.#registry.publish(directory),
    });
    this.#registry = new SessionRegistry({
      clock,
      log,
      createSession: (id) => new Session('agent', config, Buffer.from(id, 'hex'), clock.now()),
      directory: () => this.#nodes.watcher.directory,
      onIncoming: (stream) => this.#serve(stream),
      onAttached: (sessions) => this.#onAttached(sessions),
      onEnded: (reason, left) => this.#life?.onEnded(reason, left),
      limits,
    });
    this.#greeter = new Greeter({
      secret,
      about: { software: SOFTWARE, bootId: randomBytes(BOOT_ID_BYTES), hostName: hostname() },
      clock,
      log,
      onOpened: (opened) => this.#registry.attach(opened),
      limits,
    });
  }

  /** Settles when a pushed agent is not needed any more; undefined for another one. */
  get over(): Promise<void> | undefined {
    return this.#life?.over;
  }

  /** As `Greeter.greet`. */
  greet(pipe: BytePipe): Promise<EpmuxError | undefined> {
    return this.#greeter.greet(pipe);
  }

  /** Looks for nodes before anybody is attached. */
  lookAhead(): void {
    this.#nodes.watcher.start();
  }

  /** Lets nobody in any more, and says goodbye to every session. */
  close(): void {
    this.#life?.close();
    this.#greeter.close();
    this.#registry.goodbye({ code: WireCode.SHUTDOWN, text: 'the agent stops' });
    this.#nodes.watcher.stop();
  }

  get #epmd() {
    return { host: LOOPBACK, port: this.#parts.options.epmdPort };
  }

  #serve(stream: IncomingStream): void {
    const { options, clock, log } = this.#parts;
    void serveTarget(stream, {
      epmd: this.#epmd,
      descriptors: this.#descriptors,
      nodes: this.#nodes,
      allow: options.allow,
      stallMs: options.stallMs,
      nodeSilenceMs: options.limits.nodeSilenceMs,
      clock,
      log,
    });
  }

  #onAttached(sessions: number): void {
    const { watcher } = this.#nodes;
    if (sessions === 0) watcher.stop();
    else if (sessions > this.#attached) watcher.start();
    this.#attached = sessions;
    this.#life?.onAttached(sessions);
  }
}
