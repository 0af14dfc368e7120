import { type Transitions, transition } from '../protocol/transitions.ts';
import type { SessionConfig } from './config.ts';

/**
 * ```
 *              onAttaching               onAttached
 *  detached ───────────────▶ attaching ──────────────▶ attached
 *    │ │  ▲                      │                      │   ▲
 *    │ │  ├─ timeout, REFUSE ────┘                      │   │ onAttached: ATTACH taken (agent)
 *    │ │  └─ pipe closed, dead, replaced ───────────────┘   │
 *    │ └────────────────────────────────────────────────────┘
 *    └─ onEnded: grace over, GOODBYE, breach of the protocol ──▶ ended
 * ```
 * Who has a pipe leaves it (onDetached) before another one, and before the end.
 */
const NEXT = {
  detached: ['attaching', 'attached', 'ended'],
  attaching: ['attached', 'detached'],
  attached: ['detached'],
  ended: [],
} as const satisfies Transitions<string>;

export type SessionState = keyof typeof NEXT;

const NEVER = Number.POSITIVE_INFINITY;

/** Which of its states the session is in, since when, and what time limit that has. */
export class Lifecycle {
  readonly #config: Pick<SessionConfig, 'attachTimeoutMs' | 'graceMs'>;
  #state: SessionState = 'detached';
  #attachDeadline = NEVER;
  #graceDeadline = NEVER;
  #attaches = 0;
  #lostAt: number | undefined;
  #outageMs = 0;

  constructor(config: Pick<SessionConfig, 'attachTimeoutMs' | 'graceMs'>) {
    this.#config = config;
  }

  get state(): SessionState {
    return this.#state;
  }
  get hasBeenAttached(): boolean {
    return this.#attaches > 0;
  }
  get resumes(): number {
    return Math.max(0, this.#attaches - 1);
  }

  get deadline(): number {
    return this.#state === 'detached' ? this.#graceDeadline : this.#attachDeadline;
  }

  outageMs(now: number): number {
    return this.#outageMs + (this.#lostAt === undefined ? 0 : now - this.#lostAt);
  }

  onAttaching(now: number): void {
    this.#go('attaching');
    this.#attachDeadline = now + this.#config.attachTimeoutMs;
  }

  /** A session that never had a pipe has no grace to run out. */
  onAttached(now: number): void {
    this.#go('attached');
    this.#outageMs = this.outageMs(now);
    this.#lostAt = undefined;
    this.#attaches++;
    this.#attachDeadline = NEVER;
    this.#graceDeadline = NEVER;
  }

  onDetached(now: number): void {
    if (this.#state === 'attached') {
      this.#lostAt = now;
      this.#graceDeadline = now + this.#config.graceMs;
    }
    this.#go('detached');
    this.#attachDeadline = NEVER;
  }

  onEnded(now: number): void {
    this.#go('ended');
    this.#outageMs = this.outageMs(now);
    this.#lostAt = undefined;
    this.#attachDeadline = NEVER;
    this.#graceDeadline = NEVER;
  }

  attachTimedOut(now: number): boolean {
    return now >= this.#attachDeadline;
  }

  /** An attach that is under way is let finish: the grace is looked at again when it fails. */
  graceIsOver(now: number): boolean {
    return this.#state === 'detached' && now >= this.#graceDeadline;
  }

  #go(to: SessionState): void {
    this.#state = transition<SessionState>(NEXT, 'a session', this.#state, to);
  }
}
