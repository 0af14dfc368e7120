import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import {
  type AgentChoice,
  APP_NAME,
  DYNO_SELECTOR,
  LONGEST,
  MAX_DYNOS,
  TUNNEL_NAME,
  type TunnelSpec,
  type Way,
} from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { AGENT_PORT } from '../../runtime/address.ts';
import type { Environment } from '../../runtime/environment.ts';
import { homeFolder } from '../../runtime/home.ts';
import { didYouMean } from '../../runtime/spelling.ts';
import { programName } from '../../transport/program-name.ts';
import { parseSocksProxy } from '../../transport/socks-url.ts';
import { fileTrouble } from '../file-trouble.ts';
import { assertShort, parseHostPort, parsePort, parseSshAddress, quoted } from './address.ts';
import { cookieIn } from './cookie.ts';
import type { WayInput } from './options.ts';

const AGENT_CHOICES: readonly AgentChoice[] = ['auto', 'require', 'none'];
const WAYS = ['app', 'ssh', 'connect', 'command'] as const;
type WayKey = (typeof WAYS)[number];
const WITHOUT_VIA: readonly WayKey[] = ['command'];

/** How a key is written to a person: `ssh` → `--ssh`. */
export type Label = (key: keyof WayInput) => string;

export const optionLabel: Label = (key) => `--${key}`;

export function namesWay(input: WayInput): boolean {
  return [...WAYS, 'remote' as const].some((key) => input[key] !== undefined);
}

/**
 * Checks the input and makes it what the daemon takes. `name`: what the person calls it, if
 * anything. Paths are absolute and a git remote has become its app already (app.ts). Throws USAGE,
 * with the `key` that is wrong among its details.
 */
export function tunnelSpec(name: string | undefined, input: WayInput, label: Label): TunnelSpec {
  const kind = theOneWay(input, label);
  const way = checked(kind, () => parseWay(kind, input, label));
  const secretFile = input['secret-file'];
  const cookieFile = input['cookie-file'];
  if (secretFile !== undefined) checked('secret-file', () => assertReadable(secretFile));
  if (cookieFile !== undefined) {
    checked('cookie-file', () => {
      assertReadable(cookieFile);
      cookieIn(cookieFile);
    });
  }
  const port = (key: 'agent-port' | 'epmd-port'): number | undefined =>
    input[key] === undefined
      ? undefined
      : checked(key, () => parsePort(label(key), String(input[key])));
  const epmdPort = port('epmd-port');
  return {
    name: checkName(name ?? defaultName(way)),
    way,
    agent: checked('agent', () => parseAgentChoice(input.agent, label)),
    agentPort: port('agent-port') ?? AGENT_PORT,
    hiddenOnly: input['hidden-only'] ?? false,
    ...(input.via === undefined ? {} : { via: input.via }),
    ...(secretFile === undefined ? {} : { secretFile }),
    ...(cookieFile === undefined ? {} : { cookieFile }),
    ...(epmdPort === undefined ? {} : { epmdPort }),
  };
}

/** A refusal says in its details which key's value it is about. */
function checked<T>(key: keyof WayInput, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof EpmuxError) || error.details !== undefined) throw error;
    throw error.with({ details: { key } });
  }
}

function theOneWay(input: WayInput, label: Label): WayKey {
  const given = WAYS.filter((way) => input[way] !== undefined);
  const [first, second] = given;
  if (first === undefined) {
    throw new EpmuxError('USAGE', 'it is not said where the tunnel leads', {
      hint: `give one of ${WAYS.map((way) => label(way)).join(', ')}`,
    });
  }
  if (second !== undefined) {
    const both = `${label(first)} and ${label(second)}`;
    throw misplaced(second, `${both} exclude each other: a tunnel leads one way`);
  }
  if (input.identity !== undefined && first !== 'ssh') {
    throw misplaced('identity', `${label('identity')} goes with ${label('ssh')} only`);
  }
  if (input.dyno !== undefined && first !== 'app') {
    throw misplaced('dyno', `${label('dyno')} goes with ${label('app')} only`);
  }
  const { via } = input;
  if (via !== undefined && WITHOUT_VIA.includes(first)) {
    const others = WAYS.filter((way) => !WITHOUT_VIA.includes(way)).map((way) => label(way));
    throw misplaced('via', `${label('via')} goes with ${others.join(', ')}`);
  }
  if (via !== undefined) {
    checked('via', () => {
      parseSocksProxy(via, label('via'));
      assertShort(label('via'), 'URL', via, LONGEST.via);
    });
  }
  return first;
}

function misplaced(key: keyof WayInput, message: string): EpmuxError {
  return new EpmuxError('USAGE', message, { details: { key } });
}

function parseWay(key: WayKey, input: WayInput, label: Label): Way {
  const text = input[key] ?? '';
  if (key === 'app') return herokuWay(text, input, label);
  if (key === 'connect') return { kind: key, ...parseHostPort(label(key), text) };
  if (key === 'command') {
    if (text.trim() === '')
      throw new EpmuxError('USAGE', `${label(key)} takes a command, not nothing`);
    assertShort(label(key), 'command', text, LONGEST.command);
    return { kind: key, command: text };
  }
  const address = parseSshAddress(label(key), text);
  const identityFile = input.identity;
  if (identityFile === undefined) return { kind: key, ...address };
  checked('identity', () => assertReadable(identityFile));
  return { kind: key, ...address, identityFile };
}

function herokuWay(app: string, { dyno = [] }: WayInput, label: Label): Way {
  if (!APP_NAME.test(app)) {
    throw new EpmuxError('USAGE', `${label('app')} takes an app's name, not ${quoted(app)}`);
  }
  assertShort(label('app'), 'name', app, LONGEST.app);
  const dynos = [...new Set([dyno].flat())];
  if (dynos.length > MAX_DYNOS) {
    throw misplaced('dyno', `${label('dyno')} may stand at most ${MAX_DYNOS} times`);
  }
  checked('dyno', () => {
    for (const name of dynos) assertShort(label('dyno'), 'name', name, LONGEST.dyno);
  });
  const wrong = dynos.find((text) => !DYNO_SELECTOR.test(text));
  if (wrong === undefined) return { kind: 'heroku', app, dynos };
  const expected = 'a dyno (web.1) or a process type (web)';
  throw misplaced('dyno', `${label('dyno')} takes ${expected}, not ${quoted(wrong)}`);
}

function parseAgentChoice(text: string | undefined, label: Label): AgentChoice {
  if (text === undefined) return 'auto';
  const choice = AGENT_CHOICES.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new EpmuxError(
    'USAGE',
    `${label('agent')} takes ${AGENT_CHOICES.join(', ')}, not ${quoted(text)}${didYouMean(text, AGENT_CHOICES)}`,
  );
}

/**
 * What a tunnel without a name is called: the app, the ssh host, `host:port`, the command's
 * program.
 */
function defaultName(way: Way): string {
  return (
    nameSource(way)
      .replace(/[\s/\\\p{Cc}]+/gu, '-')
      .replace(/^[.-]+/, '')
      .slice(0, 64) || way.kind
  );
}

function nameSource(way: Way): string {
  if (way.kind === 'ssh') return way.host;
  if (way.kind === 'heroku') return way.app;
  if (way.kind === 'connect') return `${way.host}:${way.port}`;
  return programName(way.command);
}

function checkName(name: string): string {
  if (TUNNEL_NAME.test(name)) return name;
  throw new EpmuxError('USAGE', `${quoted(name)} can't be a tunnel's name`, {
    hint: 'a name is one word of at most 64 characters without slashes',
  });
}

/**
 * Paths are relative to the working folder, or to the configuration file's; the daemon has another
 * one.
 */
export function withAbsolutePaths(input: WayInput, folder: string, env: Environment): WayInput {
  const absolute: Partial<Record<'identity' | 'secret-file' | 'cookie-file', string>> = {};
  for (const key of ['identity', 'secret-file', 'cookie-file'] as const) {
    const path = input[key];
    if (path !== undefined) absolute[key] = absolutePath(path, folder, env);
  }
  return { ...input, ...absolute };
}

/** `~/` is the home folder: behind `=` a shell leaves it as it is. */
export function absolutePath(path: string, folder: string, env: Environment): string {
  if (path === '~' || path.startsWith('~/')) return join(homeFolder(env), path.slice(1));
  return isAbsolute(path) ? path : resolve(folder, path);
}

/** The daemon reads it; here a wrong path is told while the person looks on. */
function assertReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new EpmuxError('USAGE', `can't read ${file}: ${fileTrouble(cause)}`, { cause });
  }
  if (!statSync(file).isFile()) throw new EpmuxError('USAGE', `${file} is no ordinary file`);
}
