import { type NodeSource, NodeWatcher } from '../../src/agent/watcher.ts';
import type { EpmdName } from '../../src/erlang/epmd.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Directory } from '../../src/session/types.ts';
import { ManualClock } from '../support/manual-clock.ts';

export const STEP_MS = 100;
export const MOST = 1_000;

/** Behind every promise that can settle without time, however long their chain. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass in small steps, with what it sets off. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  await settled();
  for (let left = ms; left > 0; left -= STEP_MS) {
    clock.advance(Math.min(left, STEP_MS));
    await settled();
  }
}

export class FakeHost implements NodeSource {
  registered: EpmdName[] = [];
  hidden = new Set<string>();
  /** Nodes whose cookie is known. */
  proved = new Set<string>();
  down = false;
  /** Nodes that do not tell their name. */
  silent = new Set<string>();
  /** Nodes that refuse to. */
  refusing = new Set<string>();
  /** Nodes that do not say whether they accept a cookie. */
  undecided = new Set<string>();
  /** Settles only when the test says so. */
  slow: Promise<void> | undefined;
  polls = 0;
  asked: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;

  async names(): Promise<readonly EpmdName[]> {
    this.polls += 1;
    if (this.down) throw new Error('refused');
    return this.registered;
  }

  async isVisible(name: string): Promise<boolean> {
    return !this.hidden.has(name);
  }

  async identify({ name, port }: EpmdName): Promise<{ name: string; creation: number }> {
    this.asked.push(name);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await this.slow;
    this.atOnce -= 1;
    if (this.silent.has(name)) throw new Error('silent');
    if (this.refusing.has(name)) throw new EpmuxError('HANDSHAKE_REFUSED', 'not_allowed');
    return { name: `${name}@dyno`, creation: port * 10 };
  }

  async knowsCookie({ name }: EpmdName): Promise<boolean | undefined> {
    return this.undecided.has(name) ? undefined : this.proved.has(name);
  }
}

/** A watcher of such a host, and what it has published. */
export class WatchedHost {
  readonly clock = new ManualClock();
  readonly host = new FakeHost();
  readonly published: Directory[] = [];
  readonly watcher = new NodeWatcher({
    source: this.host,
    clock: this.clock,
    log: silentLogger,
    most: MOST,
    onChange: (directory) => this.published.push(directory),
  });

  /** Of the nodes published last. */
  names(): string[] | undefined {
    return this.published.at(-1)?.nodes.map((node) => node.name);
  }
}
