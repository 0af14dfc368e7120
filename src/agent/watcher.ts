import type { EpmdName } from '../erlang/epmd.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Directory } from '../session/types.ts';
import { type NodeIdentity, type Watched, WatchedNodes } from './watched-nodes.ts';

/** Where the watcher learns of nodes. */
export interface NodeSource {
  /** What epmd has registered; fails while epmd does not answer. */
  names(): Promise<readonly EpmdName[]>;
  /** False: registered as hidden. */
  isVisible(name: string): Promise<boolean>;
  /**
   * Asks the node itself; fails when it does not tell, with HANDSHAKE_REFUSED when it would not
   * another time either.
   */
  identify(node: EpmdName): Promise<NodeIdentity>;
  /** Is there a cookie that the node accepts? Undefined: it does not say. Never fails. */
  knowsCookie(node: EpmdName, identity: NodeIdentity): Promise<boolean | undefined>;
}

export interface NodeWatcherOptions {
  readonly source: NodeSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** More nodes than this are not told. */
  readonly most: number;
  readonly onChange: (directory: Directory) => void;
}

export const WATCH_LIMITS = {
  /** Between two looks while there was news lately, and when there was none for `calmAfterMs`. */
  pollMs: 1_000,
  calmPollMs: 5_000,
  calmAfterMs: 60_000,
  /**
   * A directory waits so long for what new nodes tell; then it goes without those that have not
   * told yet.
   */
  holdMs: 1_000,
  /** A new node that has not told so long is published as epmd knows it. */
  patienceMs: 10_000,
  probesAtOnce: 4,
  /**
   * A node that does not tell its name, or whether it accepts a cookie, is asked again after each
   * of these, then each minute.
   */
  retryMs: [1_000, 4_000, 16_000],
  retryLaterMs: 60_000,
} as const;

/**
 * Follows epmd while somebody is attached, and not at all otherwise. Asks each new node once for
 * its full name and creation: a node that comes back on another port is new; one that came back on
 * the same port between two polls is not told apart.
 */
export class NodeWatcher {
  readonly #source: NodeSource;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #most: number;
  readonly #onChange: (directory: Directory) => void;
  readonly #nodes = new WatchedNodes();
  #directory: Directory | undefined;
  #epmdDown = false;
  #truncated = false;
  #running = false;
  #run = 0;
  #probing = 0;
  #holdUntil = 0;
  #newsAt = 0;
  #polledAt = Number.NEGATIVE_INFINITY;
  #nextPoll: Cancel | undefined;
  #endOfHold: Cancel | undefined;

  constructor({ source, clock, log, most, onChange }: NodeWatcherOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#most = most;
    this.#onChange = onChange;
  }

  /** Undefined before the first answer of epmd, or the first failure to answer. */
  get directory(): Directory | undefined {
    return this.#directory;
  }

  /** Somebody has attached, who may not be the only one. */
  start(): void {
    this.#nodes.hurry(this.#clock.now());
    this.look();
    if (this.#running) return;
    this.#running = true;
    this.#run += 1;
    void this.#poll(this.#run);
  }

  /**
   * Something has happened that epmd may know more of: looks within `pollMs`, and often for a
   * while.
   */
  look(): void {
    this.#newsAt = this.#clock.now();
    if (this.#nextPoll !== undefined) this.#schedule();
  }

  /** Asks a node again, with the next poll: something about it has turned out to be otherwise. */
  askAgain(name: string): void {
    const node = this.#nodes.get(name);
    if (node !== undefined) node.askAt = this.#clock.now();
    this.look();
  }

  stop(): void {
    this.#running = false;
    this.#nextPoll?.();
    this.#endOfHold?.();
    this.#nextPoll = undefined;
    this.#endOfHold = undefined;
  }

  async #poll(run: number): Promise<void> {
    this.#nextPoll = undefined;
    this.#polledAt = this.#clock.now();
    let names: readonly EpmdName[] | undefined;
    let unasked = false;
    try {
      names = await this.#source.names();
    } catch (error) {
      unasked = EpmuxError.is(error, 'BUSY');
      if (!this.#epmdDown) this.#log.info('epmd does not answer', { reason: String(error) });
    }
    // Stopped, or stopped and started again, while epmd was asked.
    if (!this.#running || run !== this.#run) return;
    if (!unasked) this.#epmdDown = names === undefined;
    if (names !== undefined) this.#compare(names);
    this.#askDue();
    this.#publishWhenNamed();
    this.#schedule();
  }

  #schedule(): void {
    const now = this.#clock.now();
    const { pollMs, calmPollMs, calmAfterMs } = WATCH_LIMITS;
    const calm = now - this.#newsAt >= calmAfterMs && this.#probing === 0;
    const run = this.#run;
    this.#nextPoll?.();
    const at = Math.max(now, this.#polledAt + (calm ? calmPollMs : pollMs));
    this.#nextPoll = this.#clock.wakeAt(at, () => void this.#poll(run));
  }

  #compare(names: readonly EpmdName[]): void {
    this.#truncated = names.length > this.#most;
    const now = this.#clock.now();
    const hasNew = this.#nodes.follow(names.slice(0, this.#most), now);
    if (hasNew) this.#holdUntil = now + WATCH_LIMITS.holdMs;
  }

  #askDue(): void {
    for (const node of this.#nodes.due(this.#clock.now())) {
      if (this.#probing >= WATCH_LIMITS.probesAtOnce) return;
      void this.#ask(node);
    }
  }

  async #ask(node: Watched): Promise<void> {
    node.asking = true;
    this.#probing += 1;
    try {
      node.visible = await this.#source.isVisible(node.name);
      node.identity = await this.#source.identify(node);
      const known = await this.#source.knowsCookie(node, node.identity);
      node.cookieKnown = known === true;
      node.askAt = known === undefined ? this.#later(node) : Number.POSITIVE_INFINITY;
    } catch (error) {
      const isFinal = EpmuxError.is(error, 'HANDSHAKE_REFUSED');
      node.askAt = isFinal ? Number.POSITIVE_INFINITY : this.#later(node);
      this.#log.info('a node did not tell its full name', {
        node: node.name,
        port: node.port,
        reason: messageOf(error),
      });
    }
    node.attempts += 1;
    node.asking = false;
    this.#probing -= 1;
    if (!this.#running) return;
    this.#askDue();
    this.#publishWhenNamed();
  }

  #later({ attempts }: Watched): number {
    const { retryMs, retryLaterMs } = WATCH_LIMITS;
    return this.#clock.now() + (retryMs[attempts] ?? retryLaterMs);
  }

  /**
   * A new node is published when it has told its full name and whether a cookie of it is known,
   * rather than under two names one after the other: who is told of it sooner would have its cookie
   * refused.
   */
  #publishWhenNamed(): void {
    if (this.#nodes.hasUnasked && this.#clock.now() < this.#holdUntil) {
      this.#endOfHold ??= this.#clock.wakeAt(this.#holdUntil, () => {
        this.#endOfHold = undefined;
        this.#publishWhenNamed();
      });
      return;
    }
    this.#endOfHold?.();
    this.#endOfHold = undefined;
    this.#publish();
  }

  #publish(): void {
    const latest = this.#clock.now() - WATCH_LIMITS.patienceMs;
    const before = this.#directory;
    const next: Directory = {
      epoch: ((before?.epoch ?? 0) + 1) % 2 ** 32,
      epmdDown: this.#epmdDown,
      truncated: this.#truncated,
      nodes: this.#nodes.told(latest),
    };
    if (before !== undefined && sameContent(before, next)) return;
    this.#directory = next;
    this.#newsAt = this.#clock.now();
    this.#onChange(next);
  }
}

function sameContent(a: Directory, b: Directory): boolean {
  return JSON.stringify({ ...a, epoch: 0 }) === JSON.stringify({ ...b, epoch: 0 });
}
