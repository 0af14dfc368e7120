import { Fifo } from './fifo.ts';

/** The streams may take so long to refill their buffers without that counting as a pause. */
const PAUSE_MS = 5;
/** Bytes sent within this time of each other are one flight. */
const SAME_FLIGHT_MS = 1;

/** Bytes handed to the pipe at one time, and what had been delivered by then. */
interface Flight {
  end: number;
  readonly sentAt: number;
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When the flight that was acknowledged last at that time had been sent. */
  readonly firstSentAt: number;
  readonly afterPause: boolean;
}

export interface Sample {
  readonly rttMs: number;
  /** Bytes delivered each ms since the flight was sent; 0 when too little time passed to tell. */
  readonly bytesPerMs: number;
  /** The streams had paused: the rate says what they offered rather than what the path takes. */
  readonly afterPause: boolean;
  /** All that was in flight when the last round began has arrived. */
  readonly endsRound: boolean;
}

/**
 * What was sent when, so that each acknowledgement gives a sample of the round trip and of the
 * delivery rate.
 */
export class FlightLog {
  #flights = new Fifo<Flight>();
  #sent = 0;
  #delivered = 0;
  #deliveredAt = 0;
  #firstSentAt = 0;
  #roundEnd = 0;
  /**
   * Flights sent before anything behind this position is delivered follow a pause of the streams.
   */
  #pausedAt = -1;
  /** Since when the streams have had no more to send. */
  #starvedSince: number | undefined;

  /** The position up to which bytes have been handed to the pipe. */
  get sent(): number {
    return this.#sent;
  }

  get inFlight(): number {
    return this.#sent - this.#delivered;
  }

  /** A new pipe, on which bytes from `position` on are sent. */
  begin(position: number, now: number): void {
    this.#flights.clear();
    this.#sent = position;
    this.#delivered = position;
    this.#deliveredAt = now;
    this.#firstSentAt = now;
    this.#roundEnd = position;
    this.#pausedAt = -1;
    this.#starvedSince = now;
  }

  /**
   * Bytes up to `position` have been handed to the pipe. `starved`: the streams had no more to
   * send.
   */
  onSent(position: number, now: number, starved: boolean): void {
    if (position > this.#sent) {
      if (now - (this.#starvedSince ?? now) > PAUSE_MS) this.#pausedAt = this.#sent;
      this.#add(position, now);
      this.#starvedSince = undefined;
    }
    if (starved) this.#starvedSince ??= now;
  }

  onAcknowledged(position: number, now: number): Sample | undefined {
    if (position <= this.#delivered) return undefined;
    const flight = this.#flightAt(position);
    this.#delivered = position;
    this.#deliveredAt = now;
    if (flight === undefined) return undefined;
    this.#firstSentAt = flight.sentAt;
    const endsRound = flight.delivered >= this.#roundEnd;
    if (endsRound) this.#roundEnd = this.#sent;
    const took = Math.max(now - flight.deliveredAt, flight.sentAt - flight.firstSentAt);
    return {
      rttMs: now - flight.sentAt,
      bytesPerMs: took > 0 ? (position - flight.delivered) / took : 0,
      afterPause: flight.afterPause,
      endsRound,
    };
  }

  #add(position: number, now: number): void {
    if (this.inFlight === 0) {
      this.#firstSentAt = now;
      this.#deliveredAt = now;
    }
    this.#sent = position;
    const last = this.#flights.last();
    if (last !== undefined && now - last.sentAt < SAME_FLIGHT_MS) {
      last.end = position;
      return;
    }
    this.#flights.push({
      end: position,
      sentAt: now,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      firstSentAt: this.#firstSentAt,
      afterPause: this.#pausedAt >= this.#delivered,
    });
  }

  /** The flight that the byte before `position` went with; the ones before it are forgotten. */
  #flightAt(position: number): Flight | undefined {
    for (let first = this.#flights.first(); first !== undefined; first = this.#flights.first()) {
      if (first.end > position) return first;
      this.#flights.shift();
      if (first.end === position) return first;
    }
    return undefined;
  }
}
