import { readdirSync, readFileSync } from 'node:fs';
import { EpmuxError } from '../protocol/errors.ts';
import { systemCode } from './system-error.ts';

/**
 * For files, epmd and whatever else a process opens for a moment, and for a connection to it that
 * says what is wrong.
 */
const RESERVE = 16;
/** How long "none is free" holds: looking costs the more the more are open. */
const NONE_FREE_MS = 100;

/** What this process may have open, and has. Undefined where the system does not tell. */
export interface DescriptorCount {
  readonly most: number;
  readonly open: number;
}

function countDescriptors(): DescriptorCount | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const most = /^Max open files +(\d+|unlimited)/m.exec(limits)?.[1];
    const open = readdirSync('/proc/self/fd').length;
    return { most: most === 'unlimited' ? Number.POSITIVE_INFINITY : Number(most), open };
  } catch (error) {
    // The question itself takes a descriptor.
    return isExhaustion(error) ? { most: 0, open: 0 } : undefined;
  }
}

/** No descriptor was left, in this process or in the whole system. */
export function isExhaustion(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

/**
 * Says no to a connection that would take one of the last descriptors, so that what is open goes on
 * and new ones are refused with a reason, rather than by whatever call is the next to fail. Where
 * the system does not tell how many there are it says yes.
 */
export class Descriptors {
  readonly #count: () => DescriptorCount | undefined;
  readonly #now: () => number;
  /** How many may be given out before it is looked again. */
  #credit = 0;
  /** Begun and perhaps not counted yet. */
  #opening = 0;
  #noneUntil = Number.NEGATIVE_INFINITY;
  #full: string | undefined;

  constructor(now: () => number, count = countDescriptors) {
    this.#now = now;
    this.#count = count;
  }

  /**
   * `open` opens one connection, or fails. Fails with BUSY instead when no descriptor can be spared
   * for it.
   */
  async opening<T>(open: () => Promise<T>): Promise<T> {
    const refusal = this.refusal();
    if (refusal !== undefined) throw new EpmuxError('BUSY', refusal);
    this.#opening += 1;
    try {
      return await open();
    } finally {
      this.#opening -= 1;
    }
  }

  /**
   * Why a connection more has to be refused at this moment, for a person; undefined: there is room.
   */
  refusal(): string | undefined {
    if (this.#credit > 0) {
      this.#credit -= 1;
      return undefined;
    }
    if (this.#now() < this.#noneUntil) return this.#full;
    const found = this.#count();
    if (found === undefined) return undefined;
    const free = found.most - found.open - this.#opening - RESERVE;
    if (free >= 1) {
      // Others take descriptors too: a half of what is free is given out unseen.
      this.#credit = Math.floor(Math.min(free, 1_024) / 2);
      this.#noneUntil = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    this.#noneUntil = this.#now() + NONE_FREE_MS;
    this.#full = `no file descriptor is free here (ulimit -n ${found?.most || 'is used up'})`;
    return this.#full;
  }
}
