import { EpmuxError } from '../protocol/errors.ts';
import { EPMD_PORT } from '../runtime/address.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { Directory } from '../session/types.ts';
import type { Transport } from '../transport/transport.ts';
import type { ErrorStatus, LinkState, LinkStatus, NodeStatus, TunnelSpec } from './control/api.ts';
import { DynoSecrets } from './dyno-secrets.ts';
import type { WantedDyno } from './dynos.ts';
import { forward } from './forward.ts';
import { ownAgent } from './links/agent-bundle.ts';
import { DynoLink } from './links/dyno-link.ts';
import type { Link } from './links/link.ts';
import type { LinkMemory } from './memory.ts';
import { TunnelNodes } from './tunnel-nodes.ts';
import type { TunnelParts } from './tunnel-parts.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';

/** A dyno that is up may need a moment until the exec manager knows it. */
const REGISTRATION_MS = 10_000;

export interface DynoEndOptions {
  readonly dyno: WantedDyno;
  /** What the worker before this one knew of this very dyno. */
  readonly inherited: LinkMemory | undefined;
  readonly spec: TunnelSpec;
  readonly secrets: TunnelSecrets;
  readonly parts: TunnelParts;
  readonly transport: () => Transport;
  /** As `Dynos.variables`. */
  readonly variables: () => Promise<Readonly<Record<string, string>>>;
  readonly handlers: DynoEndHandlers;
}

export interface DynoEndHandlers {
  onState(state: LinkState): void;
  onAttemptFailed(error: EpmuxError): void;
  onStep(step: string): void;
  onNodes(): void;
}

/** Says which dyno it is about. */
function errorOf(dyno: string | null, error: EpmuxError): EpmuxError {
  if (dyno === null || error.message.includes(dyno)) return error;
  return error.with({ message: `${dyno}: ${error.message}` });
}

/**
 * One dyno of a tunnel: the link to it, and the nodes behind it under local names. Its id says
 * which life of the dyno it is.
 */
export class DynoEnd {
  readonly dyno: WantedDyno;
  readonly #options: DynoEndOptions;
  readonly #secrets: DynoSecrets;
  readonly #link: Link;
  readonly #nodes: TunnelNodes;
  readonly #begunAt: number;
  #lastFailure: EpmuxError | undefined;
  #hasDirectory = false;
  #epmdError: ErrorStatus | undefined;

  constructor(options: DynoEndOptions) {
    const { dyno, spec, parts, transport, handlers } = options;
    const { clock, logger } = parts;
    this.dyno = dyno;
    this.#options = options;
    this.#begunAt = clock.now();
    this.#secrets = new DynoSecrets(options.secrets, options.variables, parts.clock, logger);
    this.#nodes = new TunnelNodes({
      dyno: dyno.name,
      tunnel: spec.name,
      addresses: parts.addresses,
      names: parts.names,
      limits: parts.limits,
      descriptors: parts.descriptors,
      clock,
      logger,
      isAway: () => this.state !== 'up',
      onConnection: (local, short) => void this.#couple(local, short),
    });
    this.#link = new DynoLink({
      dyno: dyno.name,
      choice: spec.agent,
      epmdPort: spec.epmdPort ?? EPMD_PORT,
      transport,
      secret: () => this.#secrets.secret(),
      createSession: parts.createSession,
      limits: parts.limits,
      bundle: ownAgent,
      inherited: options.inherited,
      clock,
      logger,
      handlers: {
        onChange: (state) => this.#onChange(state),
        onAttemptFailed: (error) => this.#onAttemptFailed(error),
        onStep: (step) => handlers.onStep(dyno.name === null ? step : `${dyno.name}: ${step}`),
        onDirectory: (directory, error) => this.#onDirectory(directory, error),
      },
    });
  }

  get state(): LinkState {
    return this.#link.machine.state;
  }

  /** As `Link.exec`. */
  get exec(): Link['exec'] {
    return this.#link.exec;
  }

  get reconnects(): number {
    return this.#link.machine.reconnects;
  }

  get lastError(): ErrorStatus | null {
    const status = this.#link.machine.lastErrorStatus;
    const error = this.#link.machine.lastError;
    if (status === null || error === undefined) return null;
    const { message, hint } = errorOf(this.dyno.name, this.#options.secrets.hinted(error));
    return { ...status, message, hint };
  }

  /**
   * Why its last attempt failed, since somebody began to wait for it; undefined while there is
   * hope.
   */
  get failure(): EpmuxError | undefined {
    return this.#lastFailure;
  }

  /** Neither its nodes are known nor has an attempt failed. */
  get isPending(): boolean {
    return !this.#hasDirectory && this.#lastFailure === undefined;
  }

  start(): void {
    this.#link.start();
  }

  /** Is it alive? When it is not up: tries at once, also after it had given up. */
  probe(hasNewSecrets: boolean): void {
    this.#link.probe(hasNewSecrets);
  }

  /** Somebody waits anew: what failed before does not count. */
  forgetFailure(): void {
    this.#lastFailure = undefined;
  }

  status(): LinkStatus {
    const { lastError } = this;
    const { portless } = this.#nodes;
    return {
      ...this.#link.status(),
      ...(this.state === 'up' || lastError === null ? {} : { lastError }),
      ...(this.#epmdError === undefined ? {} : { epmdError: this.#epmdError }),
      ...(portless === undefined ? {} : { portless }),
    };
  }

  /** What no file holds of it. */
  memory(): LinkMemory {
    return { id: this.dyno.id, ...this.#link.memory() };
  }

  nodes(): readonly NodeStatus[] {
    return this.#nodes.list(this.state !== 'up');
  }

  /** Whether a node of this full name is behind it. */
  has(node: string): boolean {
    return this.#nodes.list(false).some(({ name }) => name === node);
  }

  /** A byte pipe to a node's distribution port. Throws TUNNEL_DOWN or NODE_NOT_FOUND. */
  openNode(short: string): BytePipe {
    const { spec, dyno } = this.#options;
    if (this.state === 'failed' || this.state === 'down') {
      const what = dyno.name === null ? 'tunnel' : `link to ${dyno.name} of the tunnel`;
      throw new EpmuxError('TUNNEL_DOWN', `the ${what} ${spec.name} is ${this.state}`);
    }
    return this.#link.openNode(short);
  }

  /** As `NodeWay.knowsCookie`. */
  knowsCookie(short: string): boolean {
    return this.#link.knowsCookie(short);
  }

  /** As `DynoSecrets.cookie`. */
  productionCookie(): Promise<string | undefined> {
    return this.#secrets.cookie();
  }

  /** Withdraws its nodes, ends all their connections and tells the agent. */
  async close(): Promise<void> {
    await Promise.all([this.#nodes.close(), this.#link.close()]);
  }

  #onChange(state: LinkState): void {
    if (state === 'up') this.#lastFailure = undefined;
    else this.#epmdError = undefined;
    this.#options.handlers.onState(state);
  }

  #onAttemptFailed(error: EpmuxError): void {
    const { clock } = this.#options.parts;
    // The agent is new: the next attempt begins a new session with it.
    const passes =
      error.code === 'SESSION_LOST' ||
      (error.code === 'DYNO_NOT_RUNNING' && clock.now() - this.#begunAt < REGISTRATION_MS);
    const named = errorOf(this.dyno.name, this.#options.secrets.hinted(error));
    if (!passes) this.#lastFailure = named;
    this.#options.handlers.onAttemptFailed(named);
  }

  #onDirectory(directory: Directory | undefined, epmdError?: EpmuxError): void {
    const { transport, handlers } = this.#options;
    if (directory?.epmdDown !== true) this.#epmdError = undefined;
    else {
      const none = () => new EpmuxError('NO_EPMD', `no epmd answers at ${transport().target}`);
      this.#onEpmdError(epmdError ?? none());
    }
    void this.#nodes.set(directory).then(() => {
      this.#hasDirectory = directory !== undefined;
      handlers.onNodes();
    });
  }

  #onEpmdError(error: EpmuxError): void {
    if (this.#epmdError?.code === error.code) return;
    this.#link.machine.failedWith(error);
    this.#epmdError = this.lastError ?? undefined;
  }

  async #couple(local: BytePipe, short: string): Promise<void> {
    const { spec, parts } = this.#options;
    await forward(local, {
      short,
      cookies: {
        agentKnows: this.knowsCookie(short),
        production: () => this.#secrets.cookie(),
      },
      openNode: () => this.openNode(short),
      relay: () => ({ hiddenOnly: spec.hiddenOnly, ticks: this.#link.ticks }),
      parts,
      onCut: (cut) => this.#nodes.onCut(short, cut),
    });
  }
}
