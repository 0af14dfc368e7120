import type { SessionPipeSide } from '../session/types.ts';
import type { Clock } from './clock.ts';
import type { SessionPipe } from './session-pipe.ts';

export interface SessionTurnsOptions {
  readonly session: Pick<SessionPipeSide, 'drain' | 'mostQueuedBytes'>;
  readonly clock: Clock;
  /** The one that there is at the moment. */
  readonly pipe: () => SessionPipe | undefined;
  /** Hands out the session's events. */
  readonly pump: () => void;
}

/**
 * One turn of a session at the end of a turn of the event loop, however much happens before: its
 * events are handed out, and what it has to say leaves.
 */
export class SessionTurns {
  readonly #options: SessionTurnsOptions;
  readonly #run: () => void;
  #next: NodeJS.Immediate | undefined;

  constructor(options: SessionTurnsOptions) {
    this.#options = options;
    this.#run = () => {
      this.#next = undefined;
      options.pump();
      this.#drain();
      options.pump();
    };
  }

  schedule(): void {
    this.#next ??= setImmediate(this.#run);
  }

  #drain(): void {
    const { session, clock } = this.#options;
    const pipe = this.#options.pipe();
    while (pipe !== undefined) {
      const now = clock.now();
      const roomBytes = pipe.roomBytes(session.mostQueuedBytes(now));
      if (roomBytes === 0) return;
      const buffers = session.drain(now, roomBytes);
      if (buffers.length === 0) return;
      pipe.write(buffers);
    }
  }
}
