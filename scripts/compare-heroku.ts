/**
 * Heroku's own CLI and epmux beside each other, at the stand-in for Heroku of the tests; prints a
 * table of what was measured.
 *
 *     npm run compare:heroku                        all rows (some ten minutes)
 *     npm run compare:heroku -- start ctrl-c        these
 *     npm run compare:heroku -- --list
 *
 * Needs root (namespaces), erl, sshd, a `heroku` on the PATH or from scripts/official-cli, and
 * dist/ as built. Runs in a network of its own, so that ports 80 and 1080 are free and nothing
 * outside is touched.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { namespacesMissing } from '../test/support/heroku/namespace.ts';
import { officialCli } from '../test/support/heroku/official-cli.ts';
import { type Lap, type Race, ROWS, type Row } from './compare/rows.ts';
import { inSeconds, Stage, type StageOptions } from './compare/stage.ts';
import { Epmux, Official, type Tool } from './compare/tools.ts';

const INSIDE = 'EPMUX_COMPARE_INSIDE';
const ENTER = 'ip link set lo up && exec "$@"';

/** Runs this very program again in a network of its own, and gives its exit code. */
function enterNetwork(names: readonly string[]): number {
  const self = [process.execPath, ...process.execArgv, import.meta.filename, ...names];
  const argv = ['--net', '--uts', 'sh', '-c', ENTER, 'enter', ...self];
  const env = { ...process.env, [INSIDE]: '1' };
  return spawnSync('unshare', argv, { stdio: 'inherit', env }).status ?? 1;
}

async function measure<T extends Tool, R>(
  options: StageOptions | undefined,
  make: (stage: Stage) => T,
  run: (tool: T) => Promise<R>,
): Promise<R> {
  const stage = await Stage.start(options);
  try {
    const tool = make(stage);
    try {
      return await run(tool);
    } finally {
      await tool.stop();
    }
  } finally {
    await stage.stop();
  }
}

const newOfficial = (stage: Stage) => new Official(stage);
const newEpmux = (stage: Stage) => new Epmux(stage);

async function cells(row: Row | Race): Promise<readonly [string, string]> {
  if ('runs' in row) return race(row);
  const official = await measure(row.stage, newOfficial, row.official);
  return [official, await measure(row.stage, newEpmux, row.epmux)];
}

/** Each run begins from nothing: another stage. */
async function race({ stage, runs, official, epmux }: Race): Promise<readonly [string, string]> {
  const theirs: number[] = [];
  const ours: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    theirs.push(await measure(stage, newOfficial, official.seconds));
    ours.push(await measure(stage, newEpmux, epmux.seconds));
  }
  const share = (median(ours) / median(theirs)).toFixed(2);
  return [told(official, theirs), `${told(epmux, ours)}: ${share} of that`];
}

function told({ mark }: Pick<Lap<Tool>, 'mark'>, seconds: readonly number[]): string {
  const least = Math.min(...seconds).toFixed(1);
  return `${mark} ${inSeconds(median(seconds))} (${least} to ${inSeconds(Math.max(...seconds))})`;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** False when a row could not be measured; it is left out of the table then. */
async function compare(names: readonly string[]): Promise<boolean> {
  let complete = true;
  const cores = cpus().length;
  console.log(`${new Date().toISOString().slice(0, 10)}, ${cores} cores, Node ${process.version}`);
  console.log('\n| | `heroku ps:forward` | `epmux up` |\n| --- | --- | --- |');
  for (const name of names) {
    const row = ROWS[name];
    if (row === undefined) continue;
    try {
      const [official, epmux] = await cells(row);
      console.log(`| ${row.title} | ${official} | ${epmux} |`);
    } catch (error) {
      complete = false;
      console.error(`compare-heroku: ${name} could not be measured:`, error);
    }
  }
  return complete;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--list')) {
    for (const [name, { title }] of Object.entries(ROWS))
      console.log(`${name.padEnd(12)} ${title}`);
    return 0;
  }
  const unknown = args.filter((name) => ROWS[name] === undefined);
  const missing =
    officialCli() === undefined ? 'the official heroku CLI is not installed' : namespacesMissing();
  const refusal = unknown.length > 0 ? `no such row: ${unknown.join(', ')}` : missing;
  if (refusal !== undefined) {
    console.error(`compare-heroku: ${refusal}`);
    return 2;
  }
  if (process.env[INSIDE] === undefined) return enterNetwork(args);
  return (await compare(args.length > 0 ? args : Object.keys(ROWS))) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
