/** Relays that hold idle streams: as many of a kind as it takes, where one can't have that many. */
import { pause } from './measures.ts';
import { privateKiB } from './processes.ts';
import type { Stage } from './stage.ts';
import { NO_PATH, type Way, type WayKind } from './ways.ts';

export class IdleRelays {
  readonly #stage: Stage;
  readonly #kind: WayKind;
  readonly #settleMs: number;
  /** The first is the suite's. */
  readonly #ways: Way[];
  #held = 0;
  /** Of those beyond the first, before they had streams. */
  #emptyKiB = 0;

  constructor(stage: Stage, kind: WayKind, way: Way, settleMs: number) {
    this.#stage = stage;
    this.#kind = kind;
    this.#ways = [way];
    this.#settleMs = settleMs;
  }

  /** What the first relays take, and what the streams of all do. */
  async memoryKiB(): Promise<number> {
    await pause(this.#settleMs);
    return this.#privateKiB() - this.#emptyKiB;
  }

  /** Opens streams until there are so many. */
  async hold(count: number): Promise<void> {
    const each = this.#kind.idleEach ?? Number.POSITIVE_INFINITY;
    while (this.#held < count) {
      if (this.#held >= each * this.#ways.length) await this.#startMore();
      const more = Math.min(count, each * this.#ways.length) - this.#held;
      const port = this.#ways.at(-1)?.port ?? 0;
      await this.#stage.bulk.ask({ do: 'hold', port, count: more });
      this.#held += more;
    }
  }

  async release(): Promise<void> {
    await this.#stage.bulk.ask({ do: 'release' });
    for (const way of this.#ways.slice(1)) await way.stop();
  }

  async #startMore(): Promise<void> {
    const way = await this.#kind.start(this.#stage, NO_PATH);
    this.#ways.push(way);
    await pause(this.#settleMs);
    this.#emptyKiB += privateKiB(way.relays());
  }

  #privateKiB(): number {
    return privateKiB(this.#ways.flatMap((way) => way.relays()));
  }
}
