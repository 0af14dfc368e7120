/**
 * Real processes, a seeded saboteur between them, everything in use at once, and a judge:
 * docs/reliability.md.
 *
 *     npm run chaos                                    3 minutes with a drawn seed
 *     npm run chaos -- --seed 7 --minutes 60 --json
 *     npm run chaos -- --cuts 200 --peer autossh       ssh, ssh-default, autossh, heroku: the same sabotage, the same books
 *     npm run chaos -- --stop laptop --seconds 180     everything on the laptop stands still, or its daemon alone (daemon)
 *     npm run chaos -- --plan 20 --seed 7              what would be done first, and nothing more
 *
 * SIGTERM ends a run early, with its verdict. Exits with 0 when every promise was kept, 1 when not,
 * 2 when it can't run. Needs dist/ as built, Linux, erl, erlc, sshd.
 */

import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '../src/protocol/errors.ts';
import { isPeer, measurePeer, missingFor, PEERS } from './chaos/peers.ts';
import { type Act, schedule, stop } from './chaos/schedule.ts';
import { asText, scorecard } from './chaos/scorecard.ts';

const DEFAULT_MINUTES = 3;
const DEFAULT_STOP_S = 180;
const MINUTE_MS = 60_000;

const INSIDE = 'EPMUX_CHAOS_INSIDE';
const ENTER = 'ip link set lo up && exec "$@"';

/**
 * Runs this very program again in a network of its own, where the official CLI's port 80 is free,
 * and gives its exit code.
 */
function enterNetwork(): number {
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const argv = ['--net', '--uts', 'sh', '-c', ENTER, 'enter', ...self];
  const env = { ...process.env, [INSIDE]: '1' };
  return spawnSync('unshare', argv, { stdio: 'inherit', env }).status ?? 1;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    cuts: { type: 'string' },
    peer: { type: 'string', default: 'epmux' },
    plan: { type: 'string' },
    stop: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} ${text} is no number`);
  return value;
}

function plan(seed: number, acts: number): number {
  for (const act of schedule({ seed })) {
    if (act.number > acts) break;
    console.log(JSON.stringify(act));
  }
  return 0;
}

function acts(seed: number): Iterable<Act> {
  if (values.stop === undefined) return schedule({ seed });
  if (values.stop !== 'laptop' && values.stop !== 'daemon') {
    throw new Error(`--stop ${values.stop}: laptop or daemon`);
  }
  return stop(values.stop, (whole('seconds', values.seconds) ?? DEFAULT_STOP_S) * 1_000);
}

async function main(): Promise<number> {
  const seed = whole('seed', values.seed) ?? randomInt(1, 2 ** 31);
  const say = (line: string): void => console.error(`chaos: ${line}`);
  if (values.plan !== undefined) return plan(seed, whole('plan', values.plan) ?? 0);
  const { peer } = values;
  if (!isPeer(peer)) throw new Error(`--peer ${peer}: one of ${PEERS.join(', ')}`);
  const missing = missingFor(peer);
  if (missing !== undefined) throw new Error(missing);
  if (peer === 'heroku' && process.env[INSIDE] === undefined) return enterNetwork();
  (values.json ? console.error : console.log)(`seed ${seed}`);
  const minutes = whole('minutes', values.minutes);
  const cuts = whole('cuts', values.cuts);
  const none = Number.POSITIVE_INFINITY;
  const isLimited = cuts !== undefined || values.stop !== undefined;
  const untilMs = (minutes ?? (isLimited ? none : DEFAULT_MINUTES)) * MINUTE_MS;
  const early = new AbortController();
  process.once('SIGINT', () => early.abort()).once('SIGTERM', () => early.abort());
  const limits = { untilMs, untilCuts: cuts ?? none, signal: early.signal };
  const measured = await measurePeer(peer, { seed, peer, acts: acts(seed), ...limits, say });
  const card = scorecard(measured);
  process.stdout.write(values.json ? `${JSON.stringify(card, null, 2)}\n` : asText(card));
  return card.passed ? 0 : 1;
}

async function exitCode(): Promise<number> {
  try {
    return await main();
  } catch (error) {
    console.error(`chaos: ${messageOf(error)}`);
    return 2;
  }
}

// Not by itself: Node 20's clean-up at the end spins for ever where a socket that was handed to a
// child has been reset.
process.exit(await exitCode());
