import type { SessionConfig } from './config.ts';
import { Fifo } from './fifo.ts';

/**
 * PINGs of the other end to answer, and PINGs of our own without an answer: no more than this are
 * remembered of each.
 */
const MAX_TOKENS = 16;

export type HeartbeatConfig = Pick<SessionConfig, 'heartbeatMs' | 'deadAfterMs' | 'probeTimeoutMs'>;

/**
 * Finds out whether the pipe is alive. Asks after `heartbeatMs` of silence, and as often while an
 * acknowledgement is awaited; silent for `deadAfterMs`, or a probe without an answer for
 * `probeTimeoutMs`: dead.
 */
export class Heartbeat {
  readonly #config: HeartbeatConfig;
  #seenAt = 0;
  #askedAt = 0;
  /** A PING has to go out as soon as the pipe takes it. */
  #wantsPing = false;
  #probeDeadline = Number.POSITIVE_INFINITY;
  /** The first token whose answer ends the probe. */
  #probeToken = 0n;
  #nextToken = 1n;
  #unanswered = new Map<bigint, number>();
  #toAnswer = new Fifo<bigint>();
  #rttMs: number | undefined;

  constructor(config: HeartbeatConfig) {
    this.#config = config;
  }

  /** The round trip measured last; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** A new pipe. The first PING goes out at once: it measures the round trip. */
  onAttached(now: number): void {
    this.#seenAt = now;
    this.#askedAt = now;
    this.#wantsPing = true;
    this.#probeDeadline = Number.POSITIVE_INFINITY;
    this.#unanswered.clear();
    this.#toAnswer.clear();
  }

  onBytesSeen(now: number): void {
    this.#seenAt = now;
  }

  onPing(token: bigint): void {
    this.#toAnswer.push(token);
    if (this.#toAnswer.length > MAX_TOKENS) this.#toAnswer.shift();
  }

  /** The round trip in ms; undefined when nothing of the kind was asked. */
  onPong(token: bigint, now: number): number | undefined {
    const sentAt = this.#unanswered.get(token);
    if (sentAt === undefined) return undefined;
    this.#unanswered.delete(token);
    if (token >= this.#probeToken) this.#probeDeadline = Number.POSITIVE_INFINITY;
    this.#rttMs = now - sentAt;
    return this.#rttMs;
  }

  /**
   * The machine may have slept: what was silent meanwhile does not count, an answer from now on
   * does.
   */
  onClockJump(now: number): void {
    this.#seenAt = now;
    this.probe(now);
  }

  probe(now: number): void {
    this.#wantsPing = true;
    if (this.#probeDeadline !== Number.POSITIVE_INFINITY) return;
    this.#probeDeadline = now + this.#config.probeTimeoutMs;
    this.#probeToken = this.#nextToken;
  }

  requestPing(): void {
    this.#wantsPing = true;
  }

  /** `awaiting`: something sent is not acknowledged yet. False: the pipe is dead. */
  onTime(now: number, awaiting: boolean): boolean {
    if (now >= this.#deadAt()) return false;
    if (now >= this.#askAt(awaiting)) this.#wantsPing = true;
    return true;
  }

  deadline(awaiting: boolean): number {
    return Math.min(this.#deadAt(), this.#askAt(awaiting));
  }

  takePong(): bigint | undefined {
    return this.#toAnswer.shift();
  }

  /** The token of a PING that goes out now; undefined when there is nothing to ask. */
  takePing(now: number): bigint | undefined {
    if (!this.#wantsPing) return undefined;
    this.#wantsPing = false;
    this.#askedAt = now;
    const token = this.#nextToken++;
    this.#unanswered.set(token, now);
    for (const oldest of this.#unanswered.keys()) {
      if (this.#unanswered.size <= MAX_TOKENS) break;
      this.#unanswered.delete(oldest);
    }
    return token;
  }

  #deadAt(): number {
    return Math.min(this.#seenAt + this.#config.deadAfterMs, this.#probeDeadline);
  }

  #askAt(awaiting: boolean): number {
    if (this.#wantsPing) return Number.POSITIVE_INFINITY;
    const since = awaiting ? this.#askedAt : Math.max(this.#askedAt, this.#seenAt);
    return since + this.#config.heartbeatMs;
  }
}
