/** `npm run bench`: epmux beside what else leads through one port. See docs/performance.md. */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { judge } from './bench/bars.ts';
import { epmuxOverSsh, epmuxOverTcp } from './bench/epmux-ways.ts';
import { http2, PEER_WAYS } from './bench/peer-ways.ts';
import { ownFailures, type Report, tables } from './bench/report.ts';
import { type Build, Stage } from './bench/stage.ts';
import { runSuite, type Suite, type SuiteResult } from './bench/suite.ts';
import { erlangSuite } from './bench/suites/erlang.ts';
import { idleSuite } from './bench/suites/idle.ts';
import { loopbackSuite } from './bench/suites/loopback.ts';
import { pathSuite } from './bench/suites/path.ts';
import type { WayKind } from './bench/ways.ts';

interface Options {
  readonly quick: boolean;
  readonly suites: readonly string[] | undefined;
  readonly ways: readonly string[] | undefined;
  readonly rounds: number | undefined;
  readonly base: string | undefined;
  readonly json: string | undefined;
}

/** On a path what counts are windows and queues, and one peer of a kind shows them. */
const PATH_PEERS = ['none', 'ssh', 'yamux'];
/** Each takes its seconds of doing nothing. */
const QUICK_AT_REST = ['node', 'epmux', 'epmux-ssh'];
const PATHS = [
  { roundTripMs: 50 },
  { roundTripMs: 100 },
  { roundTripMs: 50, mbitPerSecond: 100 },
  { roundTripMs: 100, mbitPerSecond: 100 },
];
const SUITES: readonly string[] = [
  'loopback',
  'idle',
  ...['path-50', 'path-100', 'path-50-100', 'path-100-100'],
  'erlang',
];
const WAYS = [...PEER_WAYS.map(({ key }) => key), 'epmux', 'epmux-ssh', 'base', 'base-ssh'];
const LONG_PATH_WINDOW_BYTES = 16 * 1024 * 1024;
const QUICK_SUITES: readonly string[] = ['loopback', 'idle'];

const USAGE = `npm run bench -- [options]

  --quick            fewer and shorter rounds of the first suite, and 1,000 idle streams: under two minutes
  --suite A,B        of ${SUITES.join(', ')} (default: all; with --quick loopback, idle)
  --way A,B          only these ways: ${WAYS.join(', ')}
  --rounds N         rounds of each suite
  --base FOLDER      another checkout of epmux, measured beside this one
  --json FILE        the figures with all their samples
`;

function parse(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      suite: { type: 'string' },
      way: { type: 'string' },
      rounds: { type: 'string' },
      base: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    quick: values.quick,
    suites: listOf('--suite', values.suite, SUITES) ?? (values.quick ? QUICK_SUITES : undefined),
    ways: listOf('--way', values.way, WAYS),
    rounds: values.rounds === undefined ? undefined : roundsOf(values.rounds),
    base: values.base === undefined ? undefined : resolve(values.base),
    json: values.json,
  };
}

function listOf(
  option: string,
  text: string | undefined,
  known: readonly string[],
): readonly string[] | undefined {
  const unknown = text?.split(',').find((word) => !known.includes(word));
  if (unknown !== undefined) wrong(`${option} ${unknown}: there are ${known.join(', ')}`);
  return text?.split(',');
}

function roundsOf(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) wrong(`--rounds ${text} is no number of rounds`);
  return Number(text);
}

function wrong(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}

async function ownWays(stage: Stage, build: Build, base: string | undefined): Promise<WayKind[]> {
  const ours = [epmuxOverTcp(build), epmuxOverSsh(build)];
  if (base === undefined) return ours;
  const before = await stage.build(base);
  const title = (way: string): string => `epmux of ${base}, ${way}`;
  return [
    ...ours,
    epmuxOverTcp(before, 'base', title('TCP')),
    epmuxOverSsh(before, 'base-ssh', title('SSH')),
  ];
}

function suitesOf(stage: Stage, build: Build, own: readonly WayKind[], options: Options): Suite[] {
  const { quick, rounds, ways } = options;
  const chosen = (kinds: readonly WayKind[]): WayKind[] =>
    kinds.filter(({ key }) => ways === undefined || ways.includes(key));
  const atRest = ({ key }: WayKind): boolean =>
    !quick || ways !== undefined || QUICK_AT_REST.includes(key);
  const onPath = [
    ...PEER_WAYS.filter(({ key }) => PATH_PEERS.includes(key)),
    http2(LONG_PATH_WINDOW_BYTES),
    ...own,
  ];
  const all = [
    loopbackSuite(chosen([...PEER_WAYS, ...own]), quick, rounds),
    idleSuite(chosen([...PEER_WAYS, ...own]).filter(atRest), quick),
    ...PATHS.map((shape) => pathSuite(stage, chosen(onPath), shape, quick, rounds)),
    erlangSuite(stage, build, quick, rounds),
  ];
  return all.filter(({ key }) => options.suites === undefined || options.suites.includes(key));
}

async function run(options: Options): Promise<Report> {
  const loadBefore = loadavg()[0] ?? 0;
  const stage = await Stage.start();
  try {
    const results: SuiteResult[] = [];
    const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
    const build = await stage.build();
    const own = await ownWays(stage, build, options.base);
    for (const suite of suitesOf(stage, build, own, options)) {
      results.push(await runSuite(suite, stage, say));
    }
    return {
      date: new Date().toISOString().slice(0, 10),
      cores: cpus().length,
      processor: cpus()[0]?.model ?? 'unknown',
      node: process.version,
      load: [loadBefore, loadavg()[0] ?? 0],
      quick: options.quick,
      suites: results,
      bars: judge(results),
    };
  } finally {
    await stage.stop();
  }
}

const options = parse();
if (options === undefined) {
  console.log(USAGE);
} else {
  const report = await run(options);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  console.log(tables(report));
  const failures = ownFailures(report.suites);
  for (const failure of failures) console.error(`bench: epmux failed in ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}
