import { randomInt } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { AgentLimits } from './limits.ts';

const IPV6_GROUPS = 8;
/** Of these, those that name the network: all behind them may be one host's. */
const NETWORK_GROUPS = 4;
const THIS_HOST = /^(::ffff:)?127\.|^::1$/;

interface Connection {
  readonly remoteAddress?: string | undefined;
  once(event: 'close', closed: () => void): unknown;
  /** Without a last word: what gives way leaves nothing behind in the system either. */
  resetAndDestroy(): unknown;
  destroy(): unknown;
}

/**
 * The connections to the agent's port. Who has not proved itself counts as such until it is closed,
 * refused or not; when they are more than may be, one of the source that has most of them gives
 * way. It is drawn: whatever an order went by, a stranger could do better at than a daemon whose
 * proof is a round trip away (docs/bounds.md).
 */
export class Connections<C extends Connection> {
  readonly #limits: Pick<AgentLimits, 'connections' | 'waitingPipes'>;
  readonly #draw: (below: number) => number;
  readonly #open = new Set<C>();
  /** Those not proved, with their sources. */
  readonly #waiting = new Map<C, string>();

  constructor(
    limits: Pick<AgentLimits, 'connections' | 'waitingPipes'>,
    draw: (below: number) => number = (below) => randomInt(below),
  ) {
    this.#limits = limits;
    this.#draw = draw;
  }

  /** Gives who gave way for it, closed: itself, where all others have proved themselves. */
  enter(connection: C): C | undefined {
    this.#open.add(connection);
    this.#waiting.set(connection, sourceOf(connection.remoteAddress));
    connection.once('close', () => this.#leave(connection));
    const { connections, waitingPipes } = this.#limits;
    if (this.#open.size <= connections && this.#waiting.size <= waitingPipes) return undefined;
    const loser = this.#drawn(connection);
    this.#leave(loser);
    loser.resetAndDestroy();
    return loser;
  }

  hasProved(connection: C): void {
    this.#waiting.delete(connection);
  }

  closeAll(): void {
    for (const connection of this.#open) connection.destroy();
  }

  #drawn(newcomer: C): C {
    const sizes = new Map<string, number>();
    for (const source of this.#waiting.values()) sizes.set(source, (sizes.get(source) ?? 0) + 1);
    const most = Math.max(...sizes.values());
    const candidates: C[] = [];
    for (const [connection, source] of this.#waiting) {
      if (connection !== newcomer && sizes.get(source) === most) candidates.push(connection);
    }
    return candidates.length === 0
      ? newcomer
      : (candidates[this.#draw(candidates.length)] ?? newcomer);
  }

  #leave(connection: C): void {
    this.#open.delete(connection);
    this.#waiting.delete(connection);
  }
}

/**
 * Whoever is on this host may connect from any of its addresses, and one who has an IPv6 address
 * has all of a /64.
 */
function sourceOf(address = ''): string {
  if (THIS_HOST.test(address)) return 'this host';
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [front = [], back = []] = address.split('::').map((part) => part.split(':'));
  const zeros = Array<string>(Math.max(0, IPV6_GROUPS - front.length - back.length)).fill('0');
  return [...front, ...zeros, ...back].slice(0, NETWORK_GROUPS).join(':');
}
