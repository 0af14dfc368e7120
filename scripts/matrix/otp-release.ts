import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/protocol/errors.ts';

/** The Debian suites that have these releases of OTP. */
const SUITES = { '25': 'bookworm', '27': 'trixie', '29': 'sid' } as const;
export type Otp = keyof typeof SUITES;
export const OTPS = Object.keys(SUITES) as Otp[];

const CACHE = join(import.meta.dirname, '..', '..', '.test-cache', 'otp');
const PACKAGES = 'elixir,erlang-base,erlang-dev,procps';
const PROGRAMS = ['erl', 'iex', 'elixir'];
const ASK = 'io:put_chars(erlang:system_info(otp_release)), halt().';

/** A release of OTP with an Elixir, and how its programs are started. */
export interface OtpRelease {
  readonly otp: Otp;
  readonly from: string;
  /** As `ErlangHost` takes them. */
  readonly host: { readonly root?: string; readonly prefix?: readonly string[] };
  /** The PATH on which a program finds it. */
  readonly path: string;
}

/**
 * By a variable, on the PATH, or in a root folder of its own, which is made; fails with why there
 * is none.
 */
export function findRelease(otp: Otp): OtpRelease {
  const path = process.env['PATH'] ?? '';
  const given = process.env[`EPMUX_OTP_${otp}`];
  if (given !== undefined) {
    if (existsSync(join(given, 'usr', 'bin')))
      return verified(inRoot(otp, given, `the root ${given}`));
    if (!existsSync(join(given, 'bin', 'erl'))) throw new Error(`${given} has no bin/erl`);
    const first = `${join(given, 'bin')}:${path}`;
    const host = { prefix: ['env', `PATH=${first}`] };
    return verified({ otp, from: `the installation ${given}`, host, path: first });
  }
  const own: OtpRelease = { otp, from: 'this machine’s', host: {}, path };
  if (releaseOf(own) === otp) return verified(own);
  return verified(inRoot(otp, makeRoot(SUITES[otp]), `Debian ${SUITES[otp]}`));
}

/**
 * Whoever has root folders needs them to see the /tmp of this machine: in a mount namespace of its
 * own nothing has to be undone.
 */
export function shareTmp({ host }: OtpRelease): void {
  if (host.root !== undefined)
    execFileSync('mount', ['--bind', '/tmp', join(host.root, 'tmp')], { stdio: 'pipe' });
}

function verified(release: OtpRelease): OtpRelease {
  const found = releaseOf(release);
  if (found !== release.otp) {
    throw new Error(`${release.from} has ${found === undefined ? 'no erl' : `OTP ${found}`}`);
  }
  if (run(release, ['elixir', '--version']) === undefined) {
    throw new Error(`${release.from} has no elixir`);
  }
  return release;
}

function releaseOf(release: OtpRelease): string | undefined {
  return run(release, ['erl', '-noshell', '-eval', ASK]);
}

function run({ host }: OtpRelease, words: readonly string[]): string | undefined {
  const chroot = host.root === undefined ? [] : ['chroot', host.root];
  const [program = '', ...args] = [...(host.prefix ?? []), ...chroot, ...words];
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  return status === 0 ? stdout.trim() : undefined;
}

function inRoot(otp: Otp, root: string, from: string): OtpRelease {
  if (process.getuid?.() !== 0) throw new Error('another root folder needs root (chroot)');
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) {
    throw new Error('another root folder needs a mount namespace, which can’t be had here');
  }
  const bin = join(CACHE, `bin-${otp}`);
  mkdirSync(bin, { recursive: true });
  for (const program of PROGRAMS) {
    const file = join(bin, program);
    writeFileSync(file, `#!/bin/sh\nexec chroot '${root}' ${program} "$@"\n`);
    chmodSync(file, 0o755);
  }
  return { otp, from, host: { root }, path: `${bin}:${process.env['PATH']}` };
}

/** Downloads a Debian of this suite with Erlang and Elixir, once (some 350 MB). */
function makeRoot(suite: string): string {
  const root = join(CACHE, suite);
  if (existsSync(root)) return root;
  if (process.getuid?.() !== 0) throw new Error('to make a root folder for it needs root');
  if (spawnSync('debootstrap', ['--version']).status !== 0) {
    throw new Error('there is no debootstrap to make a root folder with');
  }
  mkdirSync(CACHE, { recursive: true });
  const making = `${root}.making`;
  rmSync(making, { recursive: true, force: true });
  const args = ['--variant=minbase', `--include=${PACKAGES}`, suite, making];
  try {
    console.error(`matrix: making ${root} (debootstrap, some minutes)`);
    execFileSync('debootstrap', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw new Error(`debootstrap of Debian ${suite} failed: ${messageOf(error)}`);
  }
  renameSync(making, root);
  return root;
}
