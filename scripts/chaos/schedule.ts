/**
 * What is done to the path and to the processes, drawn from a seed: the same seed gives the same
 * acts in the same order.
 */
import { SeededRandom } from '../seeded-random.ts';

/** Each of them breaks or stops the path; `end-*` ends something for good. */
export const CUTS = [
  'reset',
  'kill-sshd',
  'half-close-up',
  'half-close-down',
  'blackhole',
  'blackhole-up',
  'blackhole-down',
  'long-blackhole',
  'hold',
  'freeze-agent',
  'freeze-daemon',
  'freeze-sshd',
  'stop-laptop',
] as const;
export type Cut = (typeof CUTS)[number];

/**
 * A daemon that is stopped for longer than `net_ticktime` feeds nobody: the nodes beside it end
 * their connections.
 */
export const ENDS = ['end-agent', 'end-node', 'stop-daemon'] as const;
export type End = (typeof ENDS)[number];

export const WEATHERS = ['clear', 'delay', 'throttle', 'split'] as const;
export type WeatherName = (typeof WEATHERS)[number];

export interface Act {
  readonly number: number;
  readonly kind: Cut | End;
  /** How long the path or the process is away; 0 for what is done in an instant. */
  readonly lastsMs: number;
  /** Holds from this act on, until the next one that says something else. */
  readonly weather: WeatherName;
  /**
   * False: the next act does not wait until this one is recovered from, and so hits the recovery.
   */
  readonly waits: boolean;
  /** Of use of the path, before the next act. */
  readonly thenMs: number;
}

/** One of each in so many acts, where chance decides when. */
const RARE = { 'long-blackhole': 400, 'end-agent': 120, 'end-node': 120 } as const;
type Rare = keyof typeof RARE;
/** Only by themselves: `stop`. */
type Alone = 'stop-laptop' | 'stop-daemon';

const WEIGHTS: Readonly<Record<Exclude<Cut, Rare | Alone>, number>> = {
  reset: 90,
  'kill-sshd': 40,
  'half-close-up': 16,
  'half-close-down': 16,
  hold: 12,
  blackhole: 4,
  'blackhole-up': 3,
  'blackhole-down': 3,
  'freeze-agent': 4,
  'freeze-daemon': 4,
  'freeze-sshd': 4,
};

/**
 * Milliseconds. An outage stays at 8 s, so that with what finding and mending it takes bulk on its
 * way is not cut for the node's sake: the agent promises that a node waits 30 s at most.
 * `long-blackhole` is beyond `net_ticktime`, and comes while the nodes have little to say.
 */
const LASTS: Readonly<Record<Exclude<Cut, Alone>, readonly [number, number]>> = {
  reset: [0, 0],
  'kill-sshd': [0, 0],
  'half-close-up': [0, 0],
  'half-close-down': [0, 0],
  hold: [200, 4_000],
  blackhole: [500, 8_000],
  'blackhole-up': [500, 8_000],
  'blackhole-down': [500, 8_000],
  'long-blackhole': [70_000, 90_000],
  'freeze-agent': [200, 6_000],
  'freeze-daemon': [200, 6_000],
  'freeze-sshd': [200, 8_000],
};

const WEATHER_WEIGHTS: Readonly<Record<WeatherName, number>> = {
  clear: 12,
  delay: 3,
  throttle: 2,
  split: 2,
};

const BRIEF_MS = 1_000;

/** For runs of seconds: nothing that takes longer to find than the run lasts. */
const SHORT_KINDS = [
  'reset',
  'freeze-agent',
  'kill-sshd',
  'half-close-up',
  'freeze-daemon',
  'hold',
  'half-close-down',
  'freeze-sshd',
] as const;
const SHORT_LASTS_MS = [100, 800] as const;

export interface ScheduleOptions {
  readonly seed: number;
  /** Only what is over within a second. */
  readonly short?: boolean;
}

/** Endless. */
export function* schedule(options: ScheduleOptions): Generator<Act, never> {
  const random = new SeededRandom(options.seed);
  let weather: WeatherName = 'clear';
  const begin = random.between(0, SHORT_KINDS.length - 1);
  for (let number = 1; ; number += 1) {
    const kind = options.short === true ? shortKind(begin + number) : longKind(random);
    const [least, most] = lasts(kind, options.short === true);
    if (random.next() < 0.15) weather = random.weighted(WEATHER_WEIGHTS);
    const lastsMs = random.between(least, most);
    const hitsRecovery = random.next() >= 0.85;
    yield {
      number,
      kind,
      lastsMs,
      weather,
      // One long outage right after another would be a longer one.
      waits: lastsMs > BRIEF_MS || !hitsRecovery,
      thenMs: random.between(0, options.short === true ? 300 : 700),
    };
  }
}

type Drawn = Exclude<Cut | End, Alone>;

function longKind(random: SeededRandom): Drawn {
  for (const [name, every] of Object.entries(RARE) as [Rare, number][]) {
    if (random.next() < 1 / every) return name;
  }
  return random.weighted(WEIGHTS);
}

/** One of each in turn, begun anywhere: ten of them are enough to see every kind. */
function shortKind(turn: number): Drawn {
  return SHORT_KINDS[turn % SHORT_KINDS.length] ?? 'reset';
}

function lasts(kind: Drawn, short: boolean): readonly [number, number] {
  if (kind === 'end-agent' || kind === 'end-node') return [0, 0];
  const [least, most] = LASTS[kind];
  return short && most > 0 ? SHORT_LASTS_MS : [least, most];
}

/**
 * Everything on the laptop, or its daemon alone, stands still for so long: a closed lid, and what
 * is none.
 */
export function* stop(what: 'laptop' | 'daemon', lastsMs: number): Generator<Act> {
  yield { number: 1, kind: `stop-${what}`, lastsMs, weather: 'clear', waits: true, thenMs: 1_000 };
}
