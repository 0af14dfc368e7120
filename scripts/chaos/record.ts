/** What a run has seen so far. */
import { isEnd } from './ends.ts';
import type { Act, Cut, End } from './schedule.ts';
import type { Resume, Tally } from './scorecard.ts';
import type { Failure, Nodedown } from './workload.ts';

export class RunRecord {
  readonly cuts = new Map<Cut, Tally>();
  readonly ends = new Map<End, Tally>();
  readonly resumes: Resume[] = [];
  readonly falseNodedowns: (Nodedown & { act: Act })[] = [];
  /** What went wrong beyond all that. */
  readonly broken: string[] = [];
  /** What a real end may have cost, from when to when. */
  readonly #endWindows: { from: number; to: number }[] = [];

  count(kind: Act['kind'], survived: boolean): void {
    const tallies: Map<string, Tally> = isEnd(kind) ? this.ends : this.cuts;
    const tally = tallies.get(kind) ?? { made: 0, survived: 0 };
    tally.made += 1;
    if (survived) tally.survived += 1;
    tallies.set(kind, tally);
  }

  mayHaveCost(from: number, to: number): void {
    this.#endWindows.push({ from, to });
  }

  /** Those that no real end is the reason of. */
  unexplained(failures: readonly Failure[]): Failure[] {
    return failures.filter(
      ({ begunAt, failedAt }) =>
        !this.#endWindows.some(({ from, to }) => begunAt <= to && failedAt >= from),
    );
  }
}
