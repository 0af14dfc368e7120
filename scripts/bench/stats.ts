/** What the rounds gave for one figure. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly samples: readonly number[];
}

/** The value below which the share `p` of the samples lies; NaN of none. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * p;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

export function figureOf(samples: readonly number[]): Figure {
  return {
    median: median(samples),
    low: Math.min(...samples),
    high: Math.max(...samples),
    samples,
  };
}
