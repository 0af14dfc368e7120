import { Fifo } from './fifo.ts';
import type { SessionEvent } from './types.ts';

/**
 * What the owner has not taken yet. Its size is bounded by the credit given and by the streams
 * there may be.
 */
export class EventQueue {
  #events = new Fifo<SessionEvent>();
  #final = false;

  push(event: SessionEvent): void {
    if (this.#final) return;
    this.#events.push(event);
    this.#final = event.type === 'ended';
  }

  take(): SessionEvent | undefined {
    return this.#events.shift();
  }
}
