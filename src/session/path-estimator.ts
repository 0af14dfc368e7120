import { ACK_EVERY_BYTES } from '../protocol/constants.ts';
import { AskingCycle } from './asking-cycle.ts';
import type { SessionConfig } from './config.ts';
import { MIN_PAYLOAD_BYTES } from './config.ts';
import type { Sample } from './flight-log.ts';
import { FlightLog } from './flight-log.ts';
import { MaxOverRounds } from './max-over-rounds.ts';

export type PathBounds = Pick<
  SessionConfig,
  'minInFlightBytes' | 'maxInFlightBytes' | 'maxPayloadBytes'
>;

/** What may be in flight before anything is measured. */
const FIRST_IN_FLIGHT_BYTES = 65_536;
/**
 * While it starts, each round may carry so many times what the last one has, or so many once a
 * round was slow.
 */
const STARTUP_GAIN = 2;
const CAREFUL_GAIN = 1.25;
/** Startup is over when this many rounds in turn did not deliver a quarter more. */
const STARTUP_FLAT_ROUNDS = 3;
const STARTUP_GROWTH = 1.25;
/**
 * A round this much slower than the shortest round trip: a queue has built up, or the endpoints
 * were busy. It is over when no more was delivered either.
 */
const QUEUE_FACTOR = 1.25;
const QUEUE_MS = 8;
/**
 * A round this slow ends the start at once; while cruising it means that the path has become
 * slower: what it delivered before does not count any more.
 */
const SLOWED_FACTOR = 2;
const SLOWED_MS = 20;
/**
 * The shortest round trip seen holds for so long; then the queue is let run dry to measure anew.
 */
const MIN_RTT_HOLDS_MS = 10_000;
/**
 * With nothing in flight it holds longer: what heartbeats find meanwhile is that of machines that
 * have to wake up first.
 */
const IDLE_RTT_HOLDS_MS = 30_000;
/**
 * A new pipe is asked so often in a row: the first answers come from code that never ran before.
 */
const FIRST_PINGS = 4;
/** The queue has run dry when no more than this many ms of the path are in flight. */
const DRY_MS = 4;
/**
 * After that so much of the product may go out at once; each acknowledged byte then lets two
 * follow.
 */
const REFILL_GAIN = 0.5;
/**
 * Time on top of the round trip for the endpoints' own turns, and as long as a word is expected,
 * which would wait behind that.
 */
const TURN_MS = 2;
const TURN_BEFORE_WORD_MS = 1;
/** How long the other end may sit on an acknowledgement without the path running empty. */
const ACK_SLACK_MS = 8;
/** A DATA frame takes the path for no longer than this; one above 16 KiB for much less. */
const FRAME_MS = 10;
const LARGE_FRAME_MS = 1.5;
const LARGE_FRAME_BYTES = 16_384;
const FIRST_FRAME_BYTES = 16_384;

/**
 * Measures one pipe as BBR does: what it delivered in the best of the last rounds, and the shortest
 * round trip. What may be in flight follows their product, so that the path is full and the buffers
 * along it are not.
 * ```
 *  starting ──no growth, or a queue──▶ cruising ──10 s without a shorter rtt──▶ drying ──queue gone──▶ measuring
 *                                         ▲                                                               │
 *                                         └──────────────────────────── PONG ─────────────────────────────┘
 * ```
 */
export class PathEstimator {
  readonly #bounds: PathBounds;
  #state: 'starting' | 'cruising' | 'drying' | 'measuring' = 'starting';
  readonly #log = new FlightLog();
  readonly #rate = new MaxOverRounds();
  #cycle = new AskingCycle();
  #round = 0;
  #flatRounds = 0;
  #startupGain = STARTUP_GAIN;
  /** The rate when the round began. */
  #rateBefore = 0;
  #minRttMs: number | undefined;
  #minRttAt = 0;
  /** Since the shortest round trip was seen last. */
  #shortestPongMs = Number.POSITIVE_INFINITY;
  /** On this pipe. */
  #pongs = 0;
  #measuringSince = 0;
  /**
   * Sent when bulk was held back to let the queue run dry: with that delivered there is none of it
   * left, whatever sparse streams have sent since.
   */
  #heldBackAt = 0;
  #wishesPing = false;
  #turnMs = TURN_MS;
  /** Bounds what is in flight while the queue fills again; Infinity otherwise. */
  #refillBytes = Number.POSITIVE_INFINITY;

  constructor(bounds: PathBounds) {
    this.#bounds = bounds;
  }

  get minRttMs(): number | undefined {
    return this.#minRttMs;
  }
  get bytesPerMs(): number {
    return this.#rate.value;
  }

  /** How much may be in flight at this moment. */
  get limitBytes(): number {
    if (this.#state === 'drying') return 0;
    const { minInFlightBytes, maxInFlightBytes } = this.#bounds;
    const target = this.#state === 'starting' ? this.#startingBytes() : this.#cruisingBytes();
    return Math.min(maxInFlightBytes, Math.max(minInFlightBytes, target));
  }

  /** The largest payload of a DATA frame. */
  get payloadBytes(): number {
    const fitting = Math.max(MIN_PAYLOAD_BYTES, Math.floor(this.#fittingBytes()));
    return Math.min(this.#bounds.maxPayloadBytes, fitting);
  }

  /** True once whenever a PING sent now would tell something: a new pipe, a queue that ran dry. */
  takePingWish(): boolean {
    const wish = this.#wishesPing;
    this.#wishesPing = false;
    return wish;
  }

  /**
   * Whether a word of a sparse stream is expected: then less may be in flight on top of the path's
   * product.
   */
  expectWord(isExpected: boolean): void {
    this.#turnMs = isExpected ? TURN_BEFORE_WORD_MS : TURN_MS;
  }

  /** A new pipe, on which bytes from `position` on are sent: nothing of the last one holds. */
  onPipe(position: number, now: number): void {
    this.#state = 'starting';
    this.#log.begin(position, now);
    this.#rate.clear();
    this.#cycle = new AskingCycle();
    this.#flatRounds = 0;
    this.#startupGain = STARTUP_GAIN;
    this.#rateBefore = 0;
    this.#minRttMs = undefined;
    this.#shortestPongMs = Number.POSITIVE_INFINITY;
    this.#pongs = 0;
    this.#wishesPing = false;
    this.#refillBytes = Number.POSITIVE_INFINITY;
  }

  /**
   * Bytes up to `position` have been handed to the pipe. `starved`: the streams had no more to
   * send.
   */
  onSent(position: number, now: number, starved: boolean): void {
    this.#log.onSent(position, now, starved);
  }

  onAcknowledged(position: number, now: number): void {
    const before = this.#log.inFlight;
    const sample = this.#log.onAcknowledged(position, now);
    if (sample === undefined) return;
    this.#refillBytes += before - this.#log.inFlight;
    this.#noteRtt(sample.rttMs, now);
    if (this.#state === 'starting') this.#noteRate(sample);
    if (sample.endsRound) this.#onRound(sample);
    this.#lookForStaleRtt(sample, position, now);
  }

  onPong(rttMs: number, now: number): void {
    const measured = this.#state === 'measuring' && now - rttMs >= this.#measuringSince;
    const idle = this.#log.inFlight === 0 && now - this.#minRttAt > IDLE_RTT_HOLDS_MS;
    this.#shortestPongMs = Math.min(this.#shortestPongMs, rttMs);
    if (measured) this.#state = 'cruising';
    if (measured || idle) {
      this.#minRttMs = measured ? rttMs : this.#shortestPongMs;
      this.#minRttAt = now;
      this.#shortestPongMs = Number.POSITIVE_INFINITY;
    }
    this.#noteRtt(rttMs, now);
    this.#pongs++;
    if (this.#pongs < FIRST_PINGS) this.#wishesPing = true;
  }

  #fittingBytes(): number {
    const rate = this.#rate.value;
    if (rate === 0) return FIRST_FRAME_BYTES;
    return Math.max(Math.min(rate * FRAME_MS, LARGE_FRAME_BYTES), rate * LARGE_FRAME_MS);
  }

  #startingBytes(): number {
    const product = this.#rate.value * (this.#minRttMs ?? 0);
    return Math.max(FIRST_IN_FLIGHT_BYTES, product * this.#startupGain + this.#slackBytes());
  }

  #cruisingBytes(): number {
    const product = this.#rate.value * this.#cycle.rttMs(this.#minRttMs ?? 0);
    return Math.min(this.#refillBytes, product * this.#cycle.gain + this.#slackBytes());
  }

  /**
   * Acknowledgements come in steps, so that a part of what counts as in flight has arrived already:
   * half a step at any time.
   */
  #slackBytes(): number {
    const steps = Math.min(ACK_EVERY_BYTES / 2, this.#rate.value * ACK_SLACK_MS);
    return steps + this.#rate.value * this.#turnMs;
  }

  #noteRtt(rttMs: number, now: number): void {
    if (this.#minRttMs !== undefined && rttMs > this.#minRttMs) return;
    this.#minRttMs = rttMs;
    this.#minRttAt = now;
    this.#shortestPongMs = Number.POSITIVE_INFINITY;
  }

  /**
   * While cruising one sample a round, which is less in thrall to acknowledgements that come in
   * clumps than the best of many.
   */
  #onRound(sample: Sample): void {
    const { bytesPerMs, rttMs, afterPause } = sample;
    if (!afterPause) this.#round++;
    const minRttMs = this.#minRttMs ?? 0;
    const isSlow = rttMs > this.#cycle.rttMs(minRttMs) * SLOWED_FACTOR + SLOWED_MS;
    if (this.#state === 'starting') {
      if (!afterPause) this.#onStartupRound(rttMs > minRttMs * QUEUE_FACTOR + QUEUE_MS, isSlow);
      return;
    }
    // What sparse streams send while bulk waits says nothing of what the path takes.
    if (this.#state !== 'cruising') return;
    if (isSlow && !afterPause) this.#rate.clear();
    this.#noteRate(sample);
    if (!afterPause) this.#cycle.onRound(bytesPerMs, rttMs, minRttMs);
  }

  #noteRate({ bytesPerMs, afterPause }: Sample): void {
    if (!afterPause || bytesPerMs >= this.#rate.value) this.#rate.note(bytesPerMs, this.#round);
  }

  #onStartupRound(hasQueue: boolean, isSlow: boolean): void {
    const rate = this.#rate.value;
    this.#flatRounds = rate >= this.#rateBefore * STARTUP_GROWTH ? 0 : this.#flatRounds + 1;
    this.#rateBefore = rate;
    this.#startupGain = hasQueue ? CAREFUL_GAIN : STARTUP_GAIN;
    const isFull = isSlow || (hasQueue && this.#flatRounds > 0);
    if (isFull || this.#flatRounds >= STARTUP_FLAT_ROUNDS) this.#state = 'cruising';
  }

  #lookForStaleRtt(sample: Sample, position: number, now: number): void {
    const isStale = now - this.#minRttAt > MIN_RTT_HOLDS_MS && !sample.afterPause;
    if (this.#state === 'cruising' && isStale) {
      this.#state = 'drying';
      this.#heldBackAt = this.#log.sent;
    }
    const dryBytes = Math.max(MIN_PAYLOAD_BYTES, this.#rate.value * DRY_MS);
    if (this.#state !== 'drying') return;
    if (this.#log.inFlight > dryBytes && position < this.#heldBackAt) return;
    this.#state = 'measuring';
    this.#measuringSince = now;
    this.#wishesPing = true;
    this.#refillBytes = this.#rate.value * (this.#minRttMs ?? 0) * REFILL_GAIN;
  }
}
