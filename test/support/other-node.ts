import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const CACHE = join(import.meta.dirname, '..', '..', '.test-cache', 'node');
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];

/**
 * A Node of this major: named by EPMUX_NODE_22 and the like, this very one, one kept from an
 * earlier run, or the registry's package that has it inside (no script is run). Fails where there
 * is none.
 */
export function findNode(major: string, limitMs: number): string {
  const given = process.env[`EPMUX_NODE_${major}`];
  if (given !== undefined) return given;
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const name = [prefix, process.platform, process.arch].join('-');
  const folder = join(CACHE, major);
  const node = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    npmInstall(folder, ['--no-save', '--ignore-scripts', `${name}@${major}`], { limitMs });
  }
  return node;
}

/** By this Node or another, with whose headers addons are compiled where it has them beside it. */
export function npmInstall(
  folder: string,
  args: readonly string[],
  { limitMs, node = process.execPath }: { readonly limitMs: number; readonly node?: string },
): void {
  const home = dirname(dirname(node));
  const path = `${dirname(node)}:${process.env['PATH']}`;
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path };
  if (existsSync(join(home, 'include', 'node', 'node.h'))) env['npm_config_nodedir'] = home;
  const words = ['install', '--prefix', folder, ...args, ...QUIET];
  const { status, stderr } = spawnSync('npm', words, { env, encoding: 'utf8', timeout: limitMs });
  if (status !== 0) throw new Error(`npm install failed: ${stderr?.trim().slice(-500)}`);
}
