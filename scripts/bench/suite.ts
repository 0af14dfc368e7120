/**
 * Runs a suite: every way is started once, then all are measured in turn, round after round, so
 * that what disturbs the machine disturbs all.
 */
import { messageOf } from '../../src/protocol/errors.ts';
import type { Stage } from './stage.ts';
import { type Figure, figureOf } from './stats.ts';
import type { Hop, Way, WayKind } from './ways.ts';

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

export type Sample = Readonly<Record<string, number>>;

export interface Suite {
  readonly key: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly kinds: readonly WayKind[];
  readonly rounds: number;
  /**
   * Rounds before those, which do not count: a program that has just begun is slower than the same
   * an hour later.
   */
  readonly warmUps?: number;
  readonly hop: Hop;
  measure(stage: Stage, way: Way, kind: WayKind): Promise<Sample>;
}

export interface WayResult {
  readonly key: string;
  readonly title: string;
  /** Why there are no figures. */
  readonly absent?: string;
  readonly figures: Readonly<Record<string, Figure>>;
}

export interface SuiteResult {
  readonly key: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly ways: readonly WayResult[];
}

/** `say` tells a person how far it is. */
export async function runSuite(
  suite: Suite,
  stage: Stage,
  say: (text: string) => void,
): Promise<SuiteResult> {
  const ways = new Map<WayKind, Way>();
  const absent = new Map<WayKind, string>();
  const samples = new Map<WayKind, Sample[]>();
  const guard = async (kind: WayKind, act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      absent.set(kind, messageOf(error).split('\n')[0] ?? '');
      await ways.get(kind)?.stop();
      ways.delete(kind);
    }
  };
  try {
    for (const kind of suite.kinds) {
      const why = kind.absent?.();
      if (why !== undefined) absent.set(kind, why);
      else await guard(kind, async () => void ways.set(kind, await kind.start(stage, suite.hop)));
    }
    for (let round = 1 - (suite.warmUps ?? 0); round <= suite.rounds; round += 1) {
      const name = round > 0 ? `round ${round} of ${suite.rounds}` : 'warming up';
      for (const [kind, way] of [...ways]) {
        say(`${suite.key}, ${name}: ${kind.title}`);
        await guard(kind, async () => {
          const sample = await suite.measure(stage, way, kind);
          if (round > 0) samples.set(kind, [...(samples.get(kind) ?? []), sample]);
        });
      }
    }
  } finally {
    for (const way of ways.values()) await way.stop();
  }
  return {
    key: suite.key,
    title: suite.title,
    columns: suite.columns,
    ways: suite.kinds.map((kind) => resultOf(kind, absent.get(kind), samples.get(kind) ?? [])),
  };
}

function resultOf(
  kind: WayKind,
  absent: string | undefined,
  samples: readonly Sample[],
): WayResult {
  const keys = new Set(samples.flatMap((sample) => Object.keys(sample)));
  const figures = Object.fromEntries(
    [...keys].map((key) => [key, figureOf(samples.flatMap((sample) => sample[key] ?? []))]),
  );
  const { key, title } = kind;
  return absent === undefined ? { key, title, figures } : { key, title, absent, figures };
}
