import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Environment } from './environment.ts';
import { isOldNode } from './node-version.ts';
import { isExecutable } from './programs.ts';

/** For another Node to say its version. */
const ASK_MS = 5_000;
/** fnm makes a folder of links for each shell, which goes with the session. */
const OF_ONE_SHELL = /[\\/]fnm_multishells[\\/]/;

/**
 * This Node by the path that lasts: the first link to it on the PATH, such as Homebrew's
 * `bin/node`, which leads to the next version after an update, while the folder of this version
 * goes. Where there is none, `node` itself, which has its links resolved.
 */
export function lastingNode(env: Environment, node: string = process.execPath): string {
  const links = nodesOnPath(env).filter((path) => !OF_ONE_SHELL.test(path));
  return links.find((path) => realPath(path) === node) ?? node;
}

/** This script by the path that lasts. */
export function lastingScript(script: string): string {
  return OF_ONE_SHELL.test(script) ? (realPath(script) ?? script) : script;
}

/**
 * This Node, or the PATH's first that is new enough where an update has taken it away. Undefined:
 * there is none.
 */
export function presentNode(env: Environment, node: string = process.execPath): string | undefined {
  return existsSync(node) ? node : nodesOnPath(env).find((path) => runsEpmux(path, env));
}

/** A version manager's shim is a `node`, too, and may have none to lead to. */
function runsEpmux(node: string, env: Environment): boolean {
  const options = { env, encoding: 'utf8', timeout: ASK_MS } as const;
  const { status, stdout } = spawnSync(node, ['-p', 'process.versions.node'], options);
  return status === 0 && !isOldNode(stdout.trim());
}

function nodesOnPath(env: Environment): readonly string[] {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, 'node'))
    .filter(isExecutable);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
