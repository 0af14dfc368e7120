import type { RoleName } from '../protocol/constants.ts';

const FIRST = { daemon: 1, agent: 2 } as const satisfies Record<RoleName, number>;
const LAST_ID = 0xffff_ffff;

/**
 * Which stream ids have been used: the daemon's are odd, the agent's even, both rise and none comes
 * twice.
 */
export class StreamIds {
  #next: number;
  #lastOfPeer = 0;
  readonly #ownParity: number;

  /** `first`: an id of this role's parity to begin with. */
  constructor(role: RoleName, first: number = FIRST[role]) {
    this.#next = first;
    this.#ownParity = FIRST[role] % 2;
  }

  /** Undefined: there are none left. */
  take(): number | undefined {
    if (this.#next > LAST_ID) return undefined;
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  /** The other end opens a stream of this id. False: it must not. */
  takeForPeer(id: number): boolean {
    if (this.#isOwn(id) || id <= this.#lastOfPeer) return false;
    this.#lastOfPeer = id;
    return true;
  }

  wasUsed(id: number): boolean {
    return this.#isOwn(id) ? id < this.#next : id <= this.#lastOfPeer;
  }

  #isOwn(id: number): boolean {
    return id % 2 === this.#ownParity;
  }
}
