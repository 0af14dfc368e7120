/**
 * `npm run packet-path` (root, Linux, socat): from a dial to the first byte out of a port of the
 * dyno, on a path of 50 ms that delays packets one by one; beside `ssh -W`. Prints a table. With a
 * folder as its argument also what another checkout of epmux takes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../src/cli/erlang/programs.ts';
import { freePort } from '../test/support/erlang.ts';
import { namespacesMissing } from '../test/support/heroku/namespace.ts';
import { quantile } from './bounds/usage.ts';
import { PacketPath } from './packet-path/path.ts';

const ROUND_TRIP_MS = 50;
const ROUNDS = 15;
const GREETER =
  'require("net").createServer((s) => s.write("!")).listen(+process.argv[1], "127.0.0.1")';

/** For one connection, for the dyno's start, and for all rounds of epmux. */
const [DIAL_MS, START_MS, RUN_MS] = [10_000, 30_000, 120_000];

const PROGRAMS = ['ip', 'socat', 'ssh', 'ssh-keygen', 'sshd'];
const missing = PROGRAMS.filter((name) => findProgram(name, process.env) === undefined);
const why = namespacesMissing() ?? (missing.length > 0 ? `${missing.join(', ')} not found` : '');
if (why !== '') {
  console.error(`packet-path: ${why}`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'epmux-packets-'));
const file = (name: string): string => join(folder, name);
const path = await PacketPath.start(ROUND_TRIP_MS);
try {
  for (const name of ['key', 'host']) {
    const options = ['-q', '-t', 'rsa', '-m', 'PEM', '-N', '', '-f', file(name)];
    const { status } = spawnSync('ssh-keygen', options, { stdio: 'inherit' });
    if (status !== 0) throw new Error(`ssh-keygen: exit ${status}`);
  }
  const port = await freePort();
  await startDyno(port);
  const rows: [string, readonly number[]][] = [
    ['`ssh -W`, from the command', await bySsh(port)],
    ['epmux', await byEpmux(join(import.meta.dirname, '..'), port)],
  ];
  const [, , base] = process.argv;
  if (base !== undefined) rows.push([`epmux of ${base}`, await byEpmux(resolve(base), port)]);
  console.log('| way | p50, ms | lowest to highest |\n| --- | --- | --- |');
  for (const [way, taken] of rows) {
    const [low, middle, high] = [0, 0.5, 1].map((part) => quantile(taken, part).toFixed(0));
    console.log(`| ${way} | ${middle} | ${low} to ${high} |`);
  }
} finally {
  await path.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** An SSH server, and behind it a port that says something at once. */
async function startDyno(port: number): Promise<void> {
  mkdirSync('/run/sshd', { recursive: true });
  const options = [
    `HostKey=${file('host')}`,
    `AuthorizedKeysFile=${file('key')}.pub`,
    `ListenAddress=${PacketPath.DYNO}`,
    'PermitRootLogin=yes',
    'StrictModes=no',
    'UsePAM=no',
    'PidFile=none',
  ];
  const sshd = options.flatMap((option) => ['-o', option]);
  const started = [
    [findProgram('sshd', process.env) ?? '', '-D', '-f', '/dev/null', ...sshd],
    [process.execPath, '-e', GREETER, String(port)],
  ];
  for (const command of started) {
    const [program = '', ...args] = [...path.dyno.prefix, ...command];
    spawn(program, args, { stdio: 'ignore' });
  }
  const deadline = performance.now() + START_MS;
  while ((await bySsh(port, 1).catch(() => [])).length === 0) {
    if (performance.now() > deadline) throw new Error('nothing came out of the dyno within 30 s');
    await delay(100);
  }
}

async function bySsh(port: number, rounds = ROUNDS): Promise<number[]> {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const ssh = [
    'ssh',
    '-i',
    file('key'),
    '-F',
    '/dev/null',
    ...options.flatMap((one) => ['-o', one]),
  ];
  const [program = '', ...args] = [
    ...path.laptop.prefix,
    ...ssh,
    '-W',
    `127.0.0.1:${port}`,
    `root@${PacketPath.DYNO}`,
  ];
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: DIAL_MS });
    const isThere = await Promise.race([
      once(child.stdout, 'data').then(() => true),
      once(child, 'exit').then(() => false),
    ]);
    if (!isThere) throw new Error('ssh has ended');
    taken.push(performance.now() - start);
    child.kill();
    await once(child, 'exit');
  }
  return taken;
}

async function byEpmux(checkout: string, port: number): Promise<number[]> {
  const script = join(checkout, 'scripts', 'packet-path', 'dial.ts');
  const command = [process.execPath, '--import', 'tsx', script, folder, String(port), `${ROUNDS}`];
  const [program = '', ...args] = [...path.laptop.prefix, ...command];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(program, args, { cwd: checkout, stdio: [...stdio], timeout: RUN_MS });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${script}: exit ${code}`);
  return JSON.parse(text) as number[];
}
