import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/protocol/errors.ts';
import { findNode, npmInstall } from '../../test/support/other-node.ts';
import { type PairResult, type PartResult, runChecks } from './result.ts';
import { checkCarriers } from './tunnel-checks.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAJORS = ['20', '22', '24'] as const;
const INSTALL_MS = 300_000;
const TESTS_MS = 900_000;
/** Tests that need no daemon of its own and no second machine. */
const QUICK = ['protocol', 'session', 'erlang', 'runtime', 'transport', 'agent'];
const ADDON = 'ssh2/lib/protocol/crypto/build/Release/sshcrypto.node';

/** A Node, and the package installed with it. */
interface Installed {
  readonly major: string;
  readonly node: string;
  readonly from: string;
  readonly programs: { readonly epmux: readonly string[]; readonly agent: readonly string[] };
}

/**
 * The packed package on every Node, daemon and agent crosswise, and the quick tests of the sources
 * on each.
 */
export async function nodePart(onPair: (pair: PairResult) => void): Promise<PartResult> {
  const work = mkdtempSync(join(tmpdir(), 'epmux-matrix-'));
  const found: Installed[] = [];
  const missing: string[] = [];
  const pairs: PairResult[] = [];
  const keep = (pair: PairResult): void => {
    pairs.push(pair);
    onPair(pair);
  };
  try {
    const tarball = pack(work);
    for (const major of MAJORS) {
      try {
        found.push(install(major, tarball, join(work, major)));
      } catch (error) {
        missing.push(`Node ${major}: ${messageOf(error)}`);
      }
    }
    for (const agent of found) {
      for (const daemon of found) {
        const title = `daemon on Node ${daemon.major}, agent on Node ${agent.major}`;
        const programs = { epmux: daemon.programs.epmux, agent: agent.programs.agent };
        keep(await checkCarriers(title, programs));
      }
    }
    for (const { major, node } of found) keep(await testsOn(major, node, work));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { part: 'node', with: found.map(({ from }) => from), pairs, missing };
}

/**
 * The modules of the sources are used as they are: where ssh2's addon was compiled for another
 * Node, ssh2 does without.
 */
function testsOn(major: string, node: string, work: string): Promise<PairResult> {
  const look = async (): Promise<string> => {
    const summary = join(work, `summary-${major}`);
    const mocha = [
      ...[join('node_modules', 'mocha', 'bin', 'mocha.js'), '--timeout', '60000'],
      ...['--config', quickConfig(work)],
    ];
    const env = { ...process.env, EPMUX_TEST_SUMMARY: summary };
    const { status, stdout } = spawnSync(node, mocha, {
      ...{ cwd: ROOT, env, encoding: 'utf8', timeout: TESTS_MS, maxBuffer: 64 * 1024 * 1024 },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [passed, failed] = existsSync(summary) ? readFileSync(summary, 'utf8').split(' ') : [];
    if (status !== 0) {
      const end = stdout.slice(-4_000);
      throw new Error(`${failed?.trim() ?? 'all'} failed (exit ${status})\n${end}`);
    }
    return `${passed} passed`;
  };
  return runChecks(`Node ${major}`, [{ check: 'quick tests', look }], undefined);
}

/** The tests' own settings, for these alone. */
function quickConfig(work: string): string {
  const settings = JSON.parse(readFileSync(join(ROOT, '.mocharc.json'), 'utf8'));
  const spec = QUICK.map((part) => `test/${part}/**/*.test.ts`);
  const file = join(work, 'mocharc.json');
  writeFileSync(file, JSON.stringify({ ...settings, spec }));
  return file;
}

/** Of dist/, built anew. Nothing goes to stdout. */
function pack(work: string): string {
  execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: ['ignore', 2, 'inherit'] });
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', work];
  execFileSync('npm', args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const [tarball] = readdirSync(work).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no package');
  return join(work, tarball);
}

function install(major: string, tarball: string, folder: string): Installed {
  const node = findNode(major, INSTALL_MS);
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  if (!version.startsWith(`v${major}.`)) throw new Error(`${node} is ${version}`);
  mkdirSync(folder);
  const { allowScripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const manifest = { private: true, allowScripts };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  npmInstall(folder, [tarball], { node, limitMs: INSTALL_MS });
  const modules = join(folder, 'node_modules');
  const addon =
    spawnSync(node, ['-e', `require(${JSON.stringify(join(modules, ADDON))})`]).status === 0;
  const dist = join(modules, 'epmux', 'dist');
  return {
    major,
    node,
    from: `${version} ${addon ? 'with' : 'without'} ssh2’s addon`,
    programs: {
      epmux: [node, join(dist, 'cli', 'main.js')],
      agent: [node, join(dist, 'agent.mjs')],
    },
  };
}
