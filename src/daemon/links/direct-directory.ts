import { type EpmdName, namesAnswer } from '../../erlang/epmd.ts';
import { Flag } from '../../erlang/handshake.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { askEpmdOver } from '../../runtime/epmd-client.ts';
import { identifyNode } from '../../runtime/node-probe.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { Directory, DirectoryNode } from '../../session/types.ts';
import { isPortRefused } from '../../transport/port-refused.ts';

/**
 * An epmd answers from memory: one that takes longer over a carrier that seems to stand means that
 * the carrier is dead.
 */
const ANSWER_MS = 5_000;
/**
 * How long a node that does not tell its name is left alone, time after time, as the agent does: to
 * a frozen one each try is a connection more.
 */
const ASK_AGAIN_MS = [0, 4_000, 16_000];
const THEN_EACH_MS = 60_000;

export interface DirectDirectoryOptions {
  readonly dial: (port: number, signal: AbortSignal) => Promise<BytePipe>;
  readonly epmdPort: number;
  /** More nodes than these are not asked for, nor led to. */
  readonly most: number;
  readonly clock: Clock;
}

const UNKNOWN: Directory = { epoch: 0, epmdDown: true, truncated: false, nodes: [] };

export interface DirectAnswer {
  readonly directory: Directory;
  /** Why there are no nodes; undefined where nobody listens on epmd's port. */
  readonly error?: EpmuxError;
}

/**
 * The dyno's nodes as its epmd and they themselves tell: epmd knows no hosts, so each node is asked
 * once for its full name.
 */
export class DirectDirectory {
  readonly #options: DirectDirectoryOptions;
  #nodes: ReadonlyMap<string, DirectoryNode> = new Map();
  /**
   * Of nodes that did not tell their names: how often they were asked, and when they are again, on
   * the clock's scale. Infinity: never, for each try is a line in their log.
   */
  readonly #unnamed = new WeakMap<
    DirectoryNode,
    { readonly tries: number; readonly askAt: number }
  >();
  #epoch = 0;

  constructor(options: DirectDirectoryOptions) {
    this.#options = options;
  }

  portOf(short: string): number | undefined {
    return this.#nodes.get(short)?.port;
  }

  /**
   * Fails with TIMEOUT or PIPE_LOST when the carrier is dead; where epmd can't be asked otherwise
   * it is a directory without nodes.
   */
  async ask(signal: AbortSignal): Promise<DirectAnswer> {
    const names = await this.#names(signal);
    if (names === undefined) return { directory: UNKNOWN };
    if (names instanceof EpmuxError) return { directory: UNKNOWN, error: names };
    const { most } = this.#options;
    const nodes = await Promise.all(names.slice(0, most).map((name) => this.#node(name, signal)));
    this.#nodes = new Map(nodes.map((node, index) => [names[index]?.name ?? node.name, node]));
    this.#epoch += 1;
    const truncated = names.length > most;
    return { directory: { epoch: this.#epoch, epmdDown: false, truncated, nodes } };
  }

  async #names(signal: AbortSignal): Promise<readonly EpmdName[] | EpmuxError | undefined> {
    const { dial, epmdPort, clock } = this.#options;
    const limits = { clock, limitMs: ANSWER_MS, signal };
    try {
      const pipe = await dial(epmdPort, signal);
      const { names } = await askEpmdOver(pipe, { kind: 'names' }, namesAnswer(), limits);
      return names;
    } catch (error) {
      const isOurs = error instanceof EpmuxError;
      if (!isOurs || EpmuxError.is(error, 'TIMEOUT', 'PIPE_LOST', 'INTERRUPTED')) throw error;
      return isPortRefused(error) ? undefined : error;
    }
  }

  async #node({ name, port }: EpmdName, signal: AbortSignal): Promise<DirectoryNode> {
    const { dial, clock } = this.#options;
    const before = this.#nodes.get(name);
    const known = before?.port === port ? before : undefined;
    const asked = known && this.#unnamed.get(known);
    if (known !== undefined && clock.now() < (asked?.askAt ?? Number.POSITIVE_INFINITY))
      return known;
    try {
      const open = () => dial(port, signal);
      const identity = await identifyNode({ open, clock, expected: name, timeoutMs: ANSWER_MS });
      const visible = (identity.flags & Flag.PUBLISHED) !== 0n;
      const { creation } = identity;
      return {
        name: identity.name,
        visible,
        cookieKnown: false,
        port,
        creation,
        release: '',
      };
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      // Until it is asked again it goes by what epmd knows.
      const unnamed = { name, visible: true, cookieKnown: false, port, creation: 0, release: '' };
      const tries = (asked?.tries ?? 0) + 1;
      const waitMs =
        error.code === 'HANDSHAKE_REFUSED'
          ? Number.POSITIVE_INFINITY
          : (ASK_AGAIN_MS[tries - 1] ?? THEN_EACH_MS);
      this.#unnamed.set(unnamed, { tries, askAt: clock.now() + waitMs });
      return unnamed;
    }
  }
}
