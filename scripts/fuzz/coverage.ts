import { Session } from 'node:inspector';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
interface Script {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly Range[];
  }[];
}

const SOURCES = new URL('../../src/', import.meta.url).href;
/**
 * Which places of `src/` were reached, by V8's own counters: nothing is instrumented. Asking takes
 * some milliseconds, so one asks after many runs and looks closer only when there is news.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Forgets what was counted since the last question. */
  reset(): void {
    this.#post('Profiler.takePreciseCoverage');
  }

  /** Places reached since the last question. */
  take(): string[] {
    const { result } = this.#post('Profiler.takePreciseCoverage') as { result: readonly Script[] };
    return result
      .filter(({ url }) => url.startsWith(SOURCES))
      .flatMap(({ url, functions }) =>
        functions.flatMap(({ ranges }) =>
          ranges
            .filter(({ count }) => count > 0)
            .map(
              ({ startOffset: from, endOffset: to }) =>
                `${url.slice(SOURCES.length)}:${from}-${to}`,
            ),
        ),
      );
  }

  isNew(place: string): boolean {
    return !this.#seen.has(place);
  }

  /** How many of these were not known. */
  add(places: readonly string[]): number {
    const before = this.#seen.size;
    for (const place of places) this.#seen.add(place);
    return this.#seen.size - before;
  }

  stop(): void {
    this.#post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** The session answers within the call: it is connected to its own thread. */
  #post(method: string, params: object = {}): unknown {
    let answer: unknown;
    let failure: Error | null = null;
    this.#session.post(method, params, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) throw failure;
    return answer;
  }
}
