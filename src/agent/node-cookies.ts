import type { EpmdName } from '../erlang/epmd.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { CookieCandidate, CookieSearch } from './cookie-places.ts';
import type { NodeIdentity } from './watched-nodes.ts';

export const COOKIE_LIMITS = {
  /** Each wrong one is a line in the node's log. */
  handshakes: 5,
  /**
   * After a refusal the places are looked at again, but not sooner than this after the last look.
   */
  againMs: 30_000,
  nodes: 1_000,
} as const;

export interface NodeCookiesOptions {
  readonly search: (name: string) => Promise<CookieSearch>;
  /**
   * A real handshake: does the node accept the cookie? Fails when it does not answer, and with
   * PERMISSION_DENIED where it may be shown none.
   */
  readonly accepts: (node: EpmdName, name: string, cookie: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  readonly name: string;
  readonly port: number;
  readonly creation: number;
  /** Refused by this incarnation of the node: not shown to it again. */
  readonly refused: Set<string>;
  fitting: CookieCandidate | undefined;
  /** What came of the search, for a person whose cookie was refused. */
  search: string;
  lookedAt: number;
}

/**
 * Which cookie each node of this host accepts, as handshakes have shown; in memory only, and never
 * told to anybody.
 */
export class NodeCookies {
  readonly #options: NodeCookiesOptions;
  /** By the name that epmd knows. */
  readonly #entries = new Map<string, Entry>();

  constructor(options: NodeCookiesOptions) {
    this.#options = options;
  }

  /** The cookie of the node of this short name, if one is known. */
  of(short: string): string | undefined {
    return this.#entries.get(short)?.fitting?.cookie;
  }

  /**
   * Looks for the node's cookie unless it is known. Undefined: the node does not say whether it is
   * one that was found. Never fails.
   */
  async find(node: EpmdName, { name, creation }: NodeIdentity): Promise<boolean | undefined> {
    let entry = this.#entries.get(node.name);
    const same = entry?.name === name && entry.port === node.port && entry.creation === creation;
    if (entry === undefined || !same) entry = this.#begin(node, name, creation);
    if (entry.fitting === undefined && !(await this.#look(node, entry))) return undefined;
    return entry.fitting !== undefined;
  }

  /**
   * The node refused a connection: `ours`, the cookie known here was shown to it. True: worth a new
   * look. `text` is for the person at the other end.
   */
  refused(short: string, ours: boolean): { readonly again: boolean; readonly text: string } {
    const entry = this.#entries.get(short);
    if (entry === undefined) {
      return { again: false, text: `${short} refused the cookie` };
    }
    const { clock } = this.#options;
    const again = clock.now() - entry.lookedAt >= COOKIE_LIMITS.againMs;
    const { fitting, name } = entry;
    if (fitting === undefined) {
      const text = `${name} refused the cookie, and the agent ${entry.search}`;
      return { again, text };
    }
    if (!ours) {
      const text = `${name} refused the cookie that was brought; the agent knows another one`;
      return { again: false, text };
    }
    if (again) entry.fitting = undefined;
    return { again, text: `${name} refused the cookie that the agent found (${fitting.where})` };
  }

  #begin(node: EpmdName, name: string, creation: number): Entry {
    const entry: Entry = {
      name,
      port: node.port,
      creation,
      refused: new Set(),
      fitting: undefined,
      search: 'has not looked for it yet',
      lookedAt: Number.NEGATIVE_INFINITY,
    };
    this.#entries.delete(node.name);
    this.#entries.set(node.name, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= COOKIE_LIMITS.nodes) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }

  /** False: the node does not answer. */
  async #look(node: EpmdName, entry: Entry): Promise<boolean> {
    const { search, accepts, clock, log } = this.#options;
    const fields = { node: entry.name };
    const { candidates, looked } = await search(entry.name);
    entry.search = `found none that it accepts: looked at ${looked}`;
    entry.lookedAt = clock.now();
    const untried = candidates
      .filter(({ cookie }) => !entry.refused.has(cookie))
      .slice(0, COOKIE_LIMITS.handshakes);
    for (const candidate of untried) {
      try {
        if (await accepts(node, entry.name, candidate.cookie)) {
          entry.fitting = candidate;
          log.info('the cookie of a node is known', { ...fields, from: candidate.where });
          return true;
        }
        entry.refused.add(candidate.cookie);
      } catch (error) {
        const reason = messageOf(error);
        if (EpmuxError.is(error, 'PERMISSION_DENIED')) {
          entry.search = `shows it none: ${reason}`;
          log.info('a node is shown no cookie', { ...fields, why: reason });
          return true;
        }
        log.info('a node does not say whether it accepts a cookie', { ...fields, reason });
        return false;
      }
    }
    log.info('no cookie is known that a node accepts', { ...fields, tried: untried.length });
    return true;
  }
}
