import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { NodeCoupling } from '../runtime/node-coupling.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { SessionPort } from '../session/types.ts';
import type { Transport } from '../transport/transport.ts';
import type { Addresses } from './addresses.ts';
import type { LinkState, TunnelSpec, TunnelStatus, UpSecrets } from './control/api.ts';
import { DynoLink } from './links/dyno-link.ts';
import type { Link } from './links/link.ts';
import type { NameTable } from './names.ts';
import { relayCookies } from './relay-cookies.ts';
import { TunnelNodes } from './tunnel-nodes.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';

const EPMD_PORT = 4_369;

export interface TunnelParts {
  readonly addresses: Addresses;
  readonly names: NameTable;
  readonly createTransport: (spec: TunnelSpec, secrets: UpSecrets) => Transport;
  readonly createSession: () => SessionPort;
  /** This user's own cookie, which local nodes have. */
  readonly localCookie: () => Promise<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What somebody who waits for a tunnel is told. */
export interface TunnelWatcher {
  onStep(step: string): void;
  onAttemptFailed(error: EpmuxError): void;
  /** The state or the nodes are others than before. */
  onChanged(): void;
}

/** A tunnel from its `up` to its `down`: a link, and the nodes behind it under local names. Its states are the link's (links/link-state.ts). */
export class Tunnel {
  readonly spec: TunnelSpec;
  readonly secrets: TunnelSecrets;
  readonly target: string;
  readonly #parts: TunnelParts;
  readonly #link: Link;
  readonly #nodes: TunnelNodes;
  readonly #watchers = new Set<TunnelWatcher>();
  #closing: Promise<void> | undefined;

  /** Throws USAGE when the way can't be understood. */
  constructor(spec: TunnelSpec, secrets: TunnelSecrets, parts: TunnelParts) {
    this.spec = spec;
    this.secrets = secrets;
    this.#parts = parts;
    const transport = () => parts.createTransport(spec, secrets.given);
    this.target = transport().target;
    this.#nodes = new TunnelNodes({
      addresses: parts.addresses,
      names: parts.names,
      logger: parts.logger,
      onConnection: (local, short) => void this.#couple(local, short),
    });
    this.#link = new DynoLink({
      choice: spec.agent,
      epmdPort: spec.epmdPort ?? EPMD_PORT,
      transport,
      secret: () => secrets.secret(),
      createSession: parts.createSession,
      clock: parts.clock,
      logger: parts.logger,
      handlers: {
        onChange: (state) => this.#onChange(state),
        onAttemptFailed: (error) => this.#onAttemptFailed(error),
        onStep: (step) => this.#tell((watcher) => watcher.onStep(step)),
        onDirectory: (directory) => {
          if (directory?.epmdDown === true) {
            this.#link.machine.failedWith(
              new EpmuxError('NO_EPMD', `no epmd answers at ${this.target}`),
            );
          }
          void this.#nodes.set(directory).then(() => this.#tell((watcher) => watcher.onChanged()));
        },
      },
    });
  }

  get state(): LinkState {
    return this.#link.machine.state;
  }

  get lastError(): EpmuxError | undefined {
    return this.#link.machine.lastError;
  }

  start(): void {
    this.#link.start();
  }

  /** Is it alive? When it is not up: tries at once, also after it had given up. */
  probe(): void {
    this.#link.probe();
  }

  status(): TunnelStatus {
    const { state, since, reconnects, lastErrorStatus } = this.#link.machine;
    return {
      name: this.spec.name,
      target: this.target,
      state,
      since,
      reconnects,
      lastError: lastErrorStatus,
      links: [this.#link.status()],
      nodes: this.#nodes.list(state !== 'up'),
    };
  }

  /** Until the function returned is called. */
  watch(watcher: TunnelWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** A byte pipe to a node's distribution port. Throws TUNNEL_DOWN or NODE_NOT_FOUND. */
  openNode(short: string): BytePipe {
    if (this.state === 'failed' || this.state === 'down') {
      throw new EpmuxError('TUNNEL_DOWN', `the tunnel ${this.spec.name} is ${this.state}`);
    }
    return this.#link.openNode(short);
  }

  /** As `NodeWay.knowsCookie`. */
  knowsCookie(short: string): boolean {
    return this.#link.knowsCookie(short);
  }

  /** Ends all its connections and tells the agent. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#nodes.close();
    await this.#link.close();
  }

  async #couple(local: BytePipe, short: string): Promise<void> {
    const { clock, logger, localCookie } = this.#parts;
    try {
      const cookies = await relayCookies({
        agentKnows: this.knowsCookie(short),
        production: () => this.secrets.cookie(),
        local: localCookie,
      });
      new NodeCoupling({
        node: local,
        tunnel: this.openNode(short),
        clock,
        relay: {
          side: 'connector',
          hide: true,
          hiddenOnly: this.spec.hiddenOnly,
          ticks: this.#link.ticks,
          cookies,
        },
        onClosed: ({ code, text }) =>
          logger.info('a connection ended', { node: short, code, text }),
      });
      logger.info('a local node connects', { node: short });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn('a local connection can not be led on', { node: short, reason });
      local.close(error instanceof EpmuxError ? error : undefined);
    }
  }

  #onChange(state: LinkState): void {
    const { lastError } = this;
    this.#parts.logger.info(`${this.spec.name} is ${state}`, {
      ...(state === 'up' || lastError === undefined
        ? {}
        : { code: lastError.code, reason: lastError.message }),
    });
    this.#tell((watcher) => watcher.onChanged());
  }

  #onAttemptFailed(error: EpmuxError): void {
    const { code, message } = error;
    this.#parts.logger.info(`${this.spec.name}: an attempt failed`, { code, reason: message });
    this.#tell((watcher) => watcher.onAttemptFailed(error));
  }

  #tell(tell: (watcher: TunnelWatcher) => void): void {
    for (const watcher of [...this.#watchers]) tell(watcher);
  }
}
