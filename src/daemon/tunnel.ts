import { EpmuxError } from '../protocol/errors.ts';
import type {
  ErrorStatus,
  LinkState,
  NodeStatus,
  TunnelSpec,
  TunnelStatus,
} from './control/api.ts';
import { DynoEnd } from './dyno-end.ts';
import { DynoEnds } from './dyno-ends.ts';
import type { Dynos, DynosHandlers, WantedDyno } from './dynos.ts';
import type { LinkMemory } from './memory.ts';
import { OverallState } from './overall-state.ts';
import type { TunnelParts } from './tunnel-parts.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';
import { type TunnelWatcher, TunnelWatchers } from './tunnel-watchers.ts';

/**
 * A tunnel from its `up` to its `down`: the dynos it leads to, a link to each that is up, and the
 * nodes behind them under local names.
 */
export class Tunnel {
  readonly secrets: TunnelSecrets;
  readonly #spec: TunnelSpec;
  readonly #parts: TunnelParts;
  /** What the worker before this one knew of its links, until each is made again. */
  readonly #inherited: Map<string, LinkMemory>;
  readonly #dynos: Dynos;
  readonly #ends: DynoEnds;
  readonly #watchers = new TunnelWatchers();
  readonly #state: OverallState;
  #closed = false;
  #closing: Promise<void> | undefined;

  /** Throws USAGE or CONFIG_INVALID when the way can't be understood. */
  constructor(
    spec: TunnelSpec,
    secrets: TunnelSecrets,
    parts: TunnelParts,
    inherited: readonly LinkMemory[] = [],
  ) {
    this.#inherited = new Map(inherited.map((link) => [link.id, link]));
    this.#spec = spec;
    this.secrets = secrets;
    this.#parts = parts;
    this.#state = new OverallState(parts.clock.wallNow());
    this.#dynos = parts.createDynos(spec, secrets);
    this.#ends = new DynoEnds({
      make: (dyno) => this.#makeEnd(dyno),
      choice: spec.agent,
      clock: parts.clock,
      onNews: (news) => parts.logger.info(`${spec.name}: ${news}`),
    });
  }

  /** With the files that the last `up` has named. */
  get spec(): TunnelSpec {
    return { ...this.#spec, ...this.secrets.files };
  }

  get target(): string {
    return this.#dynos.target;
  }

  get state(): LinkState {
    return this.#state.value;
  }

  /** A link to each dyno that is up. */
  get ends(): readonly DynoEnd[] {
    return this.#ends.all;
  }

  get lastError(): ErrorStatus | null {
    const errors = [
      this.#ends.lastNews,
      this.#dynos.lastError,
      ...this.ends.map((end) => end.lastError),
    ];
    return errors.reduce(
      (last, error) => (error !== null && (last === null || error.at >= last.at) ? error : last),
      null,
    );
  }

  /** `isBack`: it was up before, with another daemon. */
  start(isBack = false): void {
    const handlers: DynosHandlers = {
      onDynos: (dynos) => this.#onDynos(dynos),
      onChange: () => this.#onChange(),
      onAttemptFailed: (error) => this.#onAttemptFailed(error),
      onLookFailed: (error) => this.#onLookFailed(error),
      onStep: (step) => this.#watchers.onStep(step),
      isAnyUp: () => this.ends.some(({ state }) => state === 'up'),
    };
    this.#dynos.start(handlers, isBack);
  }

  /**
   * Is it alive? What is not up tries at once, also after it had given up; what tries already
   * begins anew where there are new secrets.
   */
  probe(hasNewSecrets = false): void {
    for (const end of this.ends) {
      end.forgetFailure();
      end.probe(hasNewSecrets);
    }
    this.#dynos.again(hasNewSecrets);
  }

  /** A sign that links may be dead, or may hold now. Does nothing where a person is needed. */
  onSurroundingsChanged(): void {
    for (const end of this.ends) if (end.state !== 'failed') end.probe(false);
    if (this.#dynos.state !== 'failed') this.#dynos.onSurroundingsChanged();
  }

  /** Something of it waits for a network. */
  get isReconnecting(): boolean {
    return (
      this.#dynos.state === 'reconnecting' ||
      this.ends.some(({ state }) => state === 'reconnecting')
    );
  }

  /** A link is on its way: it has not failed, and what is behind it is not known yet. */
  get isPending(): boolean {
    return this.ends.some((end) => end.isPending);
  }

  status(): TunnelStatus {
    return {
      name: this.spec.name,
      target: this.target,
      state: this.state,
      since: new Date(this.#state.since).toISOString(),
      reconnects: this.#ends.reconnects,
      lastError: this.lastError,
      links: this.#ends.links(),
      nodes: this.ends.flatMap((end) => end.nodes()),
    };
  }

  /** What no file holds of its links, those included that have not come back yet. */
  memory(): readonly LinkMemory[] {
    return [...this.#inherited.values(), ...this.ends.map((end) => end.memory())];
  }

  /** Until the function returned is called. */
  watch(watcher: TunnelWatcher): () => void {
    return this.#watchers.add(watcher);
  }

  /**
   * The dyno that a node is behind: two dynos may each have a node of one full name. Throws
   * NODE_NOT_FOUND.
   */
  endOf({ name, dyno }: Pick<NodeStatus, 'name' | 'dyno'>): DynoEnd {
    const found = this.ends.find((end) => end.dyno.name === dyno && end.has(name));
    if (found !== undefined) return found;
    throw new EpmuxError('NODE_NOT_FOUND', `${name} is not there any more`);
  }

  /** Ends all its connections and tells the agents. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#dynos.close(), this.#ends.close()]);
    this.#closed = true;
    this.#onChange();
  }

  #makeEnd(dyno: WantedDyno): DynoEnd {
    const { spec, secrets } = this;
    const { logger } = this.#parts;
    const name = dyno.name === null ? spec.name : `${spec.name}: ${dyno.name}`;
    const inherited = this.#inherited.get(dyno.id);
    this.#inherited.delete(dyno.id);
    const end: DynoEnd = new DynoEnd({
      dyno,
      inherited,
      spec,
      secrets,
      parts: this.#parts,
      transport: () => this.#dynos.transport(dyno),
      variables: () => this.#dynos.variables(),
      handlers: {
        onState: (state) => {
          const { lastError } = end;
          logger.info(`${name} is ${state}`, {
            ...(state === 'up' || lastError === null
              ? {}
              : { code: lastError.code, reason: lastError.message }),
          });
          this.#ends.onState(end, state);
          if (state === 'reconnecting') this.#dynos.onLinkLost();
          this.#onChange();
        },
        onAttemptFailed: (error) => {
          const { code, message } = error;
          logger.info(`${name}: an attempt failed`, { code, reason: message });
          this.#onEndFailed();
        },
        onStep: (step) => this.#watchers.onStep(step),
        onNodes: () => this.#watchers.onChanged(),
      },
    });
    return end;
  }

  #onDynos(dynos: readonly WantedDyno[]): void {
    this.#ends.set(dynos);
    this.#onChange();
    const { waiting } = this.#ends;
    if (this.ends.length > 0 || this.#closed) return;
    const states = waiting.map(({ name, state }) => `${name} (${state})`).join(', ');
    const what = waiting.length === 0 ? 'no dyno is there' : `no dyno is up: ${states}`;
    const error = new EpmuxError('DYNO_NOT_RUNNING', `${this.target}: ${what}`);
    this.#watchers.onAttemptFailed(error);
  }

  #onEndFailed(): void {
    const failures = this.ends.map(({ failure }) => failure);
    const [first] = failures;
    const isHopeless =
      first !== undefined &&
      failures.every((failure) => failure !== undefined) &&
      this.ends.every(({ state }) => state !== 'up');
    if (isHopeless) this.#watchers.onAttemptFailed(first);
    else this.#watchers.onChanged();
  }

  #onAttemptFailed(error: EpmuxError): void {
    const { code, message } = error;
    this.#parts.logger.info(`${this.spec.name}: an attempt failed`, { code, reason: message });
    this.#watchers.onAttemptFailed(error);
  }

  /** With a link there is somebody else to say how it goes. */
  #onLookFailed(error: EpmuxError): void {
    if (this.ends.length === 0) this.#watchers.onAttemptFailed(error);
  }

  #onChange(): void {
    const links = this.ends.map((end) => end.state);
    const seen = { isClosed: this.#closed, links, dynos: this.#dynos.state };
    this.#state.onChange(seen, this.#parts.clock.wallNow());
    this.#watchers.onChanged();
  }
}
