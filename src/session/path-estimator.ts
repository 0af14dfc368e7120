import { ACK_DELAY_MS, ACK_EVERY_BYTES, MAX_PAYLOAD_BYTES } from '../protocol/constants.ts';
import type { SessionConfig } from './config.ts';
import { MIN_FRAME_BYTES } from './config.ts';
import { Fifo } from './fifo.ts';
import { MaxOverRounds } from './max-over-rounds.ts';

export type PathBounds = Pick<SessionConfig, 'minInFlightBytes' | 'maxInFlightBytes'>;

/** What may be in flight before anything is measured. */
const FIRST_IN_FLIGHT_BYTES = 65_536;
/** While it starts, each round may double what is in flight. */
const STARTUP_GAIN = 2;
/** Startup is over when this many rounds in turn did not deliver a quarter more. */
const STARTUP_FLAT_ROUNDS = 3;
const STARTUP_GROWTH = 1.25;
/** One round of each cycle asks whether the path takes more; while it does, the next round asks again. */
const CYCLE_ROUNDS = 8;
const ASKING_GAIN = 1.25;
const ASKING_GROWTH = 1.1;
/** The shortest round trip seen holds for so long; then the queue is let run dry to measure anew. */
const MIN_RTT_HOLDS_MS = 10_000;
const DRY_GAIN = 0.5;
/** Time on top of the round trip for the endpoints' own turns. */
const TURN_MS = 2;
/** A DATA frame takes the path for no longer than this. */
const FRAME_MS = 10;
const FIRST_FRAME_BYTES = 16_384;

/** Bytes handed to the pipe at one time, and what had been delivered by then. */
interface Flight {
  end: number;
  readonly sentAt: number;
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When the flight that was acknowledged last at that time had been sent. */
  readonly firstSentAt: number;
  starved: boolean;
}

/**
 * Measures one pipe as BBR does: the most it delivered in the last rounds, and the shortest round trip. What may be in flight
 * follows their product, so that the path is full and the buffers along it are not.
 * ```
 *  starting ──flat for 3 rounds──▶ cruising ──10 s without a shorter rtt──▶ drying ──queue gone──▶ measuring
 *                                     ▲                                                               │
 *                                     └──────────────────────────── PONG ─────────────────────────────┘
 * ```
 */
export class PathEstimator {
  readonly #bounds: PathBounds;
  #state: 'starting' | 'cruising' | 'drying' | 'measuring' = 'starting';
  #flights = new Fifo<Flight>();
  #rate = new MaxOverRounds();
  #minRttMs: number | undefined;
  #minRttAt = 0;
  #measuringSince = 0;
  #wishesPing = false;
  #delivered = 0;
  #deliveredAt = 0;
  #firstSentAt = 0;
  #sent = 0;
  /** Flights sent before this position is delivered follow a pause of the streams. */
  #starvedUntil = 0;
  #round = 0;
  #roundEnd = 0;
  #roundCounts = false;
  #flatRounds = 0;
  #rateBefore = 0;
  #cyclePhase = 0;

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
    const { minInFlightBytes, maxInFlightBytes } = this.#bounds;
    return Math.min(maxInFlightBytes, Math.max(minInFlightBytes, this.#target()));
  }

  /** The largest payload of a DATA frame. */
  get frameBytes(): number {
    if (this.#rate.value === 0) return FIRST_FRAME_BYTES;
    const fitting = Math.floor(this.#rate.value * FRAME_MS);
    return Math.min(MAX_PAYLOAD_BYTES, Math.max(MIN_FRAME_BYTES, fitting));
  }

  /** True once each time the queue has run dry: a PING sent now finds the shortest round trip. */
  takePingWish(): boolean {
    const wish = this.#wishesPing;
    this.#wishesPing = false;
    return wish;
  }

  /** A new pipe, on which bytes from `position` on are sent: nothing of the last one holds. */
  onPipe(position: number, now: number): void {
    this.#state = 'starting';
    this.#flights.clear();
    this.#rate.clear();
    this.#minRttMs = undefined;
    this.#wishesPing = false;
    this.#delivered = position;
    this.#deliveredAt = now;
    this.#firstSentAt = now;
    this.#sent = position;
    this.#starvedUntil = 0;
    this.#roundEnd = position;
    this.#roundCounts = false;
    this.#flatRounds = 0;
    this.#rateBefore = 0;
    this.#cyclePhase = 0;
  }

  /**
   * Bytes up to `position` have been handed to the pipe. `starved`: the streams had no more to send, so that what these bytes
   * measure is the streams rather than the path.
   */
  onSent(position: number, now: number, starved: boolean): void {
    if (position > this.#sent) this.#addFlight(position, now, starved);
    if (starved) this.#starvedUntil = this.#sent;
  }

  onAcknowledged(position: number, now: number): void {
    if (position <= this.#delivered) return;
    const flight = this.#flightAt(position);
    this.#delivered = position;
    this.#deliveredAt = now;
    if (flight === undefined) return;
    this.#firstSentAt = flight.sentAt;
    this.#noteRtt(now - flight.sentAt, now);
    this.#noteRate(flight, now);
    if (flight.delivered >= this.#roundEnd) this.#onRound();
    this.#lookForStaleRtt(flight, now);
  }

  onPong(rttMs: number, now: number): void {
    if (this.#state === 'measuring' && now - rttMs >= this.#measuringSince) {
      this.#minRttMs = rttMs;
      this.#minRttAt = now;
      this.#state = 'cruising';
      return;
    }
    const quiet = this.#sent === this.#delivered;
    if (quiet && now - this.#minRttAt > MIN_RTT_HOLDS_MS) this.#minRttMs = undefined;
    this.#noteRtt(rttMs, now);
  }

  #addFlight(position: number, now: number, starved: boolean): void {
    if (this.#sent === this.#delivered) {
      this.#firstSentAt = now;
      this.#deliveredAt = now;
    }
    this.#sent = position;
    const last = this.#flights.last();
    if (last !== undefined && now - last.sentAt < 1) {
      last.end = position;
      last.starved ||= starved;
      return;
    }
    this.#flights.push({
      end: position,
      sentAt: now,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      firstSentAt: this.#firstSentAt,
      starved: starved || this.#starvedUntil > this.#delivered,
    });
  }

  #target(): number {
    const product = this.#rate.value * (this.#minRttMs ?? 0);
    if (this.#state === 'drying' || this.#state === 'measuring') return product * DRY_GAIN;
    // Acknowledgements come in steps, so that a part of what counts as in flight has arrived already.
    const steps = Math.min(2 * ACK_EVERY_BYTES, this.#rate.value * ACK_DELAY_MS);
    const slack = steps + this.#rate.value * TURN_MS;
    if (this.#state === 'starting') {
      return Math.max(FIRST_IN_FLIGHT_BYTES, product * STARTUP_GAIN + slack);
    }
    return product * (this.#cyclePhase === 0 ? ASKING_GAIN : 1) + slack;
  }

  /** The flight that the byte before `position` went with; the ones before it are forgotten. */
  #flightAt(position: number): Flight | undefined {
    let found: Flight | undefined;
    for (let first = this.#flights.first(); first !== undefined; first = this.#flights.first()) {
      found = first;
      if (first.end > position) break;
      this.#flights.shift();
      if (first.end === position) break;
    }
    return found;
  }

  #noteRtt(rttMs: number, now: number): void {
    if (this.#minRttMs !== undefined && rttMs > this.#minRttMs) return;
    this.#minRttMs = rttMs;
    this.#minRttAt = now;
  }

  #noteRate(flight: Flight, now: number): void {
    const took = Math.max(now - flight.deliveredAt, flight.sentAt - flight.firstSentAt);
    if (took <= 0) return;
    const rate = (this.#delivered - flight.delivered) / took;
    if (flight.starved && rate < this.#rate.value) return;
    this.#rate.note(rate, this.#round);
    if (!flight.starved) this.#roundCounts = true;
  }

  #onRound(): void {
    this.#roundEnd = this.#sent;
    this.#round++;
    if (!this.#roundCounts) return;
    this.#roundCounts = false;
    const growth = this.#rate.value / this.#rateBefore;
    this.#rateBefore = this.#rate.value;
    if (this.#state === 'starting') {
      this.#flatRounds = growth >= STARTUP_GROWTH ? 0 : this.#flatRounds + 1;
      if (this.#flatRounds >= STARTUP_FLAT_ROUNDS) this.#state = 'cruising';
    } else if (this.#cyclePhase !== 0 || growth < ASKING_GROWTH) {
      this.#cyclePhase = (this.#cyclePhase + 1) % CYCLE_ROUNDS;
    }
  }

  #lookForStaleRtt(flight: Flight, now: number): void {
    const stale = now - this.#minRttAt > MIN_RTT_HOLDS_MS;
    if (this.#state === 'cruising' && stale && !flight.starved) this.#state = 'drying';
    if (this.#state === 'drying' && this.#sent - this.#delivered <= this.limitBytes) {
      this.#state = 'measuring';
      this.#measuringSince = now;
      this.#wishesPing = true;
    }
  }
}
