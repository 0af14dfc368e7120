import type { EpmdName } from '../erlang/epmd.ts';
import type { DirectoryNode } from '../session/types.ts';

/** What a node says of itself in its handshake, or its process of one that says nothing. */
export interface NodeIdentity {
  /** `my_app@host` */
  readonly name: string;
  /** 0: not known. */
  readonly creation: number;
  /** It refuses every handshake of ours: no cookie is shown to it. */
  readonly isMute?: true;
}

export interface Watched extends EpmdName {
  visible: boolean;
  identity: NodeIdentity | undefined;
  cookieKnown: boolean;
  attempts: number;
  /** When epmd named it first. */
  readonly since: number;
  /** When to ask it, on the clock's scale; Infinity: not again. */
  askAt: number;
  asking: boolean;
}

/** What is known of the nodes that epmd has named last. */
export class WatchedNodes {
  readonly #nodes = new Map<string, Watched>();

  get(name: string): Watched | undefined {
    return this.#nodes.get(name);
  }

  /**
   * Those that are named no more are forgotten; one that came back on another port is new. Whether
   * any is.
   */
  follow(names: readonly EpmdName[], now: number): boolean {
    const current = new Map(names.map((entry) => [entry.name, entry] as const));
    for (const [name, node] of this.#nodes) {
      if (current.get(name)?.port !== node.port) this.#nodes.delete(name);
    }
    const added = [...current.values()].filter(({ name }) => !this.#nodes.has(name));
    for (const { name, port } of added) {
      this.#nodes.set(name, {
        name,
        port,
        visible: true,
        identity: undefined,
        cookieKnown: false,
        attempts: 0,
        since: now,
        askAt: now,
        asking: false,
      });
    }
    return added.length > 0;
  }

  /**
   * Those whose time to be asked has come, looked for one by one: whoever is asked meanwhile is
   * left out.
   */
  *due(now: number): Generator<Watched, void, undefined> {
    for (const node of this.#nodes.values()) {
      if (!node.asking && node.askAt <= now) yield node;
    }
  }

  /** Those that are to be asked some time are asked now. */
  hurry(now: number): void {
    for (const node of this.#nodes.values()) {
      if (node.askAt !== Number.POSITIVE_INFINITY) node.askAt = Math.min(node.askAt, now);
    }
  }

  /** Whether one was never asked to the end. */
  get hasUnasked(): boolean {
    return [...this.#nodes.values()].some(({ attempts }) => attempts === 0);
  }

  /** By name: those that were asked, and those that were named no later than `latest`. */
  told(latest: number): readonly DirectoryNode[] {
    return [...this.#nodes.values()]
      .filter(({ attempts, since }) => attempts > 0 || since <= latest)
      .map(toDirectoryNode)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}

function toDirectoryNode(node: Watched): DirectoryNode {
  return {
    name: node.identity?.name ?? node.name,
    visible: node.visible,
    cookieKnown: node.cookieKnown,
    port: node.port,
    creation: node.identity?.creation ?? 0,
    release: '',
  };
}
