import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connectDaemon } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { EPMD_PORT, LOOPBACK, portOf } from '../../runtime/address.ts';
import type { Environment } from '../../runtime/environment.ts';
import { askNames } from '../../runtime/epmd-client.ts';
import { erlangConfig, homeFolder } from '../../runtime/home.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { findProgram } from '../erlang/programs.ts';
import type { CookieFile, DaemonSide, LocalPorts } from './local.ts';

const PROGRAM_LIMIT_MS = 10_000;
const ANSWER_MS = 5_000;
const MAX_OUTPUT_BYTES = 65_536;
/**
 * Flags of the person's own shell, with which a program that only tells its version would become a
 * node.
 */
const ERLANG_FLAGS = ['ERL_AFLAGS', 'ERL_FLAGS', 'ERL_ZFLAGS', 'ELIXIR_ERL_OPTIONS'];

export function localPorts(env: Environment): LocalPorts {
  return {
    nodeVersion: process.versions.node,
    ask: (program, args, signal) => ask(program, args, env, signal),
    cookieFile: () => cookieFile(env),
    epmdPort: portOf(env['ERL_EPMD_PORT'] ?? '') ?? EPMD_PORT,
    epmdNames: (port) => askNames({ host: LOOPBACK, port }),
    daemon: (signal) => daemonSide(env, signal),
    canListen,
  };
}

function ask(
  program: string,
  args: readonly string[],
  env: Environment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = findProgram(program, env);
  if (path === undefined) return Promise.resolve(undefined);
  const clean = Object.fromEntries(
    Object.entries(env).filter(([name]) => !ERLANG_FLAGS.includes(name)),
  );
  const options = {
    env: clean,
    signal,
    timeout: PROGRAM_LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(path, args, options, (cause, stdout) => {
      if (cause === null) resolve(stdout.trim().split('\n').at(-1) ?? '');
      else reject(new EpmuxError('ERLANG_MISSING', `${path} is there and does not run`, { cause }));
    });
    child.stdin?.on('error', () => undefined).end();
  });
}

async function cookieFile(env: Environment): Promise<CookieFile | undefined> {
  for (const path of [
    join(homeFolder(env), '.erlang.cookie'),
    join(erlangConfig(env), '.erlang.cookie'),
  ]) {
    const found = await statOf(path);
    if (found === undefined) continue;
    return {
      path,
      mode: found.mode & 0o777,
      isOwn: found.uid === (process.getuid?.() ?? found.uid),
      isEmpty: found.size === 0,
    };
  }
  return undefined;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EpmuxError('PERMISSION_DENIED', `${path} can't be read: ${code}`, { cause });
  }
}

async function daemonSide(env: Environment, signal: AbortSignal): Promise<DaemonSide | undefined> {
  try {
    const client = await connectDaemon(daemonPaths(env), { signal });
    try {
      const options = { timeoutMs: ANSWER_MS, signal };
      const { version } = await client.call('hello', {}, options);
      const status = await client.call('status', {}, options);
      return { version, status, leading: await client.call('leading', {}, options) };
    } finally {
      client.close();
    }
  } catch (error) {
    if (EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) return undefined;
    throw error;
  }
}

function canListen(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: address, port: 0 }, () => server.close(() => resolve(true)));
  });
}
