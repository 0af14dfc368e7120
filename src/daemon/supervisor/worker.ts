/** What the supervisor sees of a worker, and how it comes by one. */

export interface WorkerEnd {
  /** It has ended as it should, and the supervisor does too. */
  readonly inOrder: boolean;
  /** `exit code 1`, `killed by SIGKILL`. */
  readonly reason: string;
  /** Undefined: not known, or a signal ended it. */
  readonly exitCode: number | undefined;
}

/** `unknown`: it runs, and knows no such question. `refused`: it is nobody's to supervise. */
export type WorkerAnswer = WorkerFacts | 'unknown' | 'refused';

export interface WorkerFacts {
  readonly restarts: number;
  readonly digest: string;
  /** What only the worker holds; absent when `known` stood for it. Secrets: never logged. */
  readonly memory?: string;
}

export interface Worker {
  readonly pid: number;
  /** Milliseconds since the epoch; undefined for one that was there already. */
  readonly startedAt: number | undefined;
  /** Resolves, never rejects. */
  readonly ended: Promise<WorkerEnd>;
  /** Asks whether it runs. Rejects when no answer came. */
  ask(known: string | undefined, signal: AbortSignal): Promise<WorkerAnswer>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export interface Workers {
  /** The one that runs already on this state folder. */
  find(): Worker | undefined;
  /** The file without which none can be started any more. */
  missing(): string | undefined;
  /** `memory`: what only the worker before held, or empty. */
  start(memory: string, restarts: number): Worker;
}
