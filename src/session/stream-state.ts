/**
 * ```
 *           OPEN                 ACCEPT
 *  (idle) ────────▶ opening ───────────────▶ open ──finSent──▶ halfClosedLocal ──finReceived──▶ closed
 *                      │                      │
 *                      │ reject, reset        ├──finReceived──▶ halfClosedRemote ──finSent──▶ closed
 *                      ▼                      │
 *                    closed ◀──── reset ──────┘   (from half-closed too)
 * ```
 * The same at both ends: who opened decides only which of them may send ACCEPT and REJECT.
 */
export type StreamState = 'opening' | 'open' | 'halfClosedLocal' | 'halfClosedRemote' | 'closed';
export type StreamStep = 'accept' | 'reject' | 'finSent' | 'finReceived' | 'reset';

const TRANSITIONS = {
  opening: { accept: 'open', reject: 'closed', reset: 'closed' },
  open: { finSent: 'halfClosedLocal', finReceived: 'halfClosedRemote', reset: 'closed' },
  halfClosedLocal: { finReceived: 'closed', reset: 'closed' },
  halfClosedRemote: { finSent: 'closed', reset: 'closed' },
  closed: {},
} as const satisfies Record<StreamState, Partial<Record<StreamStep, StreamState>>>;

/** Undefined: the step is not allowed in this state. */
export function nextState(state: StreamState, step: StreamStep): StreamState | undefined {
  const steps: Partial<Record<StreamStep, StreamState>> = TRANSITIONS[state];
  return steps[step];
}

/** May this end still get DATA on a stream in this state? The opener gets none before ACCEPT. */
export function mayReceive(state: StreamState, openedHere: boolean): boolean {
  if (state === 'opening') return !openedHere;
  return state === 'open' || state === 'halfClosedLocal';
}
