import type { SessionEvent } from '../session/types.ts';

export type EventHandlers = {
  readonly [T in SessionEvent['type']]: (event: Extract<SessionEvent, { type: T }>) => void;
};

export interface EventPumpOptions {
  readonly next: () => SessionEvent | undefined;
  readonly handlers: EventHandlers;
  /** A handler threw; the events behind this one are handed out all the same. */
  readonly onFault: (cause: unknown, event: SessionEvent) => void;
}

/**
 * Hands out a session's events in order; what comes while it does is handed out by the same loop.
 */
export class EventPump {
  readonly #options: EventPumpOptions;
  #running = false;

  constructor(options: EventPumpOptions) {
    this.#options = options;
  }

  /** The events of this moment are handed out by an outer call. */
  get running(): boolean {
    return this.#running;
  }

  run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        const event = this.#options.next();
        if (event === undefined) return;
        this.#dispatch(event);
      }
    } finally {
      this.#running = false;
    }
  }

  #dispatch<T extends SessionEvent['type']>(event: Extract<SessionEvent, { type: T }>): void {
    const { handlers, onFault } = this.#options;
    const handle = handlers[event.type as T] as (event: SessionEvent) => void;
    try {
      handle(event);
    } catch (cause) {
      onFault(cause, event);
    }
  }
}
