/** What epmux is held to: ratios within one run on one machine. */
import { median } from './stats.ts';
import type { SuiteResult } from './suite.ts';

export interface Bar {
  readonly title: string;
  readonly bar: string;
  readonly measured: string;
  readonly outcome: 'pass' | 'miss' | 'not measured';
}

type Suites = readonly SuiteResult[];

interface Rule {
  readonly title: string;
  readonly sign: '≥' | '≤';
  readonly limit: number;
  readonly unit?: string;
  /** Undefined: the run has not got what it takes. */
  readonly value: (suites: Suites) => number | undefined;
}

/** What a way gave before it broke counts for nothing. */
function samples(suites: Suites, suite: string, way: string, figure: string) {
  const found = suites.find(({ key }) => key === suite)?.ways.find(({ key }) => key === way);
  return found?.absent === undefined ? found?.figures[figure]?.samples : undefined;
}

const figure = (suite: string, way: string, key: string) => (suites: Suites) => {
  const found = samples(suites, suite, way, key);
  return found === undefined ? undefined : median(found);
};

/**
 * The median of the rounds' own ratios: what disturbed a round disturbed both. `theirKey`: where
 * the other's figure is another one.
 */
const ratio =
  (suite: string, ours: string, theirs: string, key: string, theirKey = key) =>
  (suites: Suites) => {
    const a = samples(suites, suite, ours, key);
    const b = samples(suites, suite, theirs, theirKey);
    if (a === undefined || b === undefined) return undefined;
    const ratios = a.flatMap((value, round) => (b[round] === undefined ? [] : [value / b[round]]));
    return ratios.length === 0 ? undefined : median(ratios);
  };

type Value = (suites: Suites) => number | undefined;

const extreme =
  (choose: (...values: number[]) => number, parts: readonly Value[]): Value =>
  (suites) => {
    const values = parts.map((part) => part(suites));
    return values.some((value) => value === undefined)
      ? undefined
      : choose(...(values as number[]));
  };
/** The worse of two directions. */
const least = (...parts: readonly Value[]): Value => extreme(Math.min, parts);
const most = (...parts: readonly Value[]): Value => extreme(Math.max, parts);

const LOOP = 'loopback';
const NARROW = 'path-50-100';
const bothWays = (ours: string, theirs: string, streams: 1 | 16): Value =>
  least(ratio(LOOP, ours, theirs, `up${streams}`), ratio(LOOP, ours, theirs, `down${streams}`));
const beside = (streams: 1 | 8): Value =>
  most(figure(LOOP, 'epmux', `beside${streams}up`), figure(LOOP, 'epmux', `beside${streams}down`));
const besideRatio = (ours: string, theirs: string, streams: 1 | 8): Value =>
  most(
    ratio(LOOP, ours, theirs, `beside${streams}up`),
    ratio(LOOP, ours, theirs, `beside${streams}down`),
  );

const RULES: readonly Rule[] = [
  {
    title: '1 stream over TCP, of two Node relays’ throughput',
    sign: '≥',
    limit: 0.95,
    value: bothWays('epmux', 'node', 1),
  },
  {
    title: 'idle RTT, of two Node relays’',
    sign: '≤',
    limit: 1.1,
    value: ratio(LOOP, 'epmux', 'node', 'rtt50'),
  },
  {
    title: 'CPU a GB, of two Node relays’',
    sign: '≤',
    limit: 1.05,
    value: ratio(LOOP, 'epmux', 'node', 'cpu'),
  },
  {
    title: '16 streams over TCP, of two Node relays’ throughput',
    sign: '≥',
    limit: 1,
    value: bothWays('epmux', 'node', 16),
  },
  {
    title: '1 stream, of js-libp2p-yamux’s throughput',
    sign: '≥',
    limit: 1.6,
    value: bothWays('epmux', 'yamux', 1),
  },
  {
    title: '1 stream, of http2’s throughput',
    sign: '≥',
    limit: 1.5,
    value: bothWays('epmux', 'http2', 1),
  },
  { title: 'RTT p50 beside 1 bulk stream', sign: '≤', limit: 0.8, unit: ' ms', value: beside(1) },
  { title: 'RTT p50 beside 8 bulk streams', sign: '≤', limit: 1.5, unit: ' ms', value: beside(8) },
  {
    title: 'RTT beside 1 bulk stream, of two Node relays’',
    sign: '≤',
    limit: 0.2,
    value: besideRatio('epmux', 'node', 1),
  },
  {
    title: 'RTT beside 8 bulk streams, of two Node relays’',
    sign: '≤',
    limit: 0.2,
    value: besideRatio('epmux', 'node', 8),
  },
  {
    title: 'over SSH, 1 stream, of two Node relays through ssh -L',
    sign: '≥',
    limit: 1,
    value: bothWays('epmux-ssh', 'node-ssh', 1),
  },
  {
    title: 'over SSH, idle RTT, of the same',
    sign: '≤',
    limit: 1,
    value: ratio(LOOP, 'epmux-ssh', 'node-ssh', 'rtt50'),
  },
  {
    title: 'over SSH, RTT beside 1 bulk stream, of the same',
    sign: '≤',
    limit: 0.3,
    value: besideRatio('epmux-ssh', 'node-ssh', 1),
  },
  {
    title: 'nodes, 50 ms: `:erpc` median, of the path’s RTT',
    sign: '≤',
    limit: 1.06,
    value: ratio('erlang', 'epmux-ssh', 'none', 'erpc50'),
  },
  {
    title: 'nodes, 50 ms: `:erpc` p95, of the path’s RTT',
    sign: '≤',
    limit: 1.15,
    value: ratio('erlang', 'epmux-ssh', 'none', 'erpc95'),
  },
  {
    title: 'nodes, 50 ms: `:erpc` median while 20 MB move, of the path’s RTT with nothing else',
    sign: '≤',
    limit: 2,
    value: ratio('erlang', 'epmux-ssh', 'none', 'erpcBeside50', 'erpc50'),
  },
  {
    title: 'nodes, 50 ms: `:erpc` p95 while 20 MB move, of the same',
    sign: '≤',
    limit: 2,
    value: ratio('erlang', 'epmux-ssh', 'none', 'erpcBeside95', 'erpc50'),
  },
  {
    title: 'nodes, 50 ms: 20 MB binary, of ssh -L’s rate',
    sign: '≥',
    limit: 1,
    value: least(
      ratio('erlang', 'epmux-ssh', 'ssh', 'up'),
      ratio('erlang', 'epmux-ssh', 'ssh', 'down'),
    ),
  },
  {
    title: '100 Mbit/s, 50 ms, over SSH: RTT beside bulk p50',
    sign: '≤',
    limit: 65,
    unit: ' ms',
    value: most(figure(NARROW, 'epmux-ssh', 'bulkUp'), figure(NARROW, 'epmux-ssh', 'bulkDown')),
  },
  {
    title: '100 Mbit/s, 50 ms, over SSH: RTT beside bulk p99',
    sign: '≤',
    limit: 85,
    unit: ' ms',
    value: most(figure(NARROW, 'epmux-ssh', 'bulkUp99'), figure(NARROW, 'epmux-ssh', 'bulkDown99')),
  },
  {
    title: '100 Mbit/s, 50 ms, over SSH: throughput, of the path’s',
    sign: '≥',
    limit: 0.97,
    value: least(
      ratio(NARROW, 'epmux-ssh', 'none', 'up1'),
      ratio(NARROW, 'epmux-ssh', 'none', 'down1'),
    ),
  },
  {
    title: '10,000 idle streams, each',
    sign: '≤',
    limit: 10,
    unit: ' KB',
    value: figure('idle', 'epmux', 'kb10000'),
  },
];

export function judge(suites: Suites): Bar[] {
  return RULES.map(({ title, sign, limit, unit = '', value }) => {
    const measured = value(suites);
    const bar = `${sign} ${limit}${unit}`;
    if (measured === undefined) return { title, bar, measured: '–', outcome: 'not measured' };
    const holds = sign === '≥' ? measured >= limit : measured <= limit;
    return {
      title,
      bar,
      measured: `${measured.toFixed(2)}${unit}`,
      outcome: holds ? 'pass' : 'miss',
    };
  });
}
