import { EpmuxError } from '../protocol/errors.ts';
import { AGENT_PORT, EPMD_PORT, LOOPBACK } from '../runtime/address.ts';
import type { Environment } from '../runtime/environment.ts';
import type { LogLevel } from '../runtime/logger.ts';
import { didYouMean } from '../runtime/spelling.ts';
import { SESSION_DEFAULTS } from '../session/config.ts';
import { type AgentLimits, agentLimits } from './limits.ts';
import {
  type ListenAddress,
  type ListenWay,
  parseAddress,
  parseAllow,
  parseDescriptor,
  parseDuration,
  parseLevel,
  parsePort,
} from './values.ts';

export interface AgentOptions {
  readonly listen: ListenWay;
  /** Speak on stdin and stdout instead of listening. */
  readonly stdio: boolean;
  readonly secretFile: string | undefined;
  /** The folder that a daemon has put this agent's secret into. */
  readonly pushed: string | undefined;
  readonly graceMs: number;
  readonly epmdPort: number;
  /** What `port/NAME` opens: a port of the loopback. */
  readonly allow: ReadonlyMap<string, number>;
  readonly stallMs: number;
  readonly limits: AgentLimits;
  readonly logLevel: LogLevel;
  /** The app to run as a child; empty: none. */
  readonly command: readonly string[];
}

export type AgentRequest =
  | { readonly kind: 'run'; readonly options: AgentOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

const AGENT_DEFAULTS = {
  host: LOOPBACK,
  port: AGENT_PORT,
  epmdPort: EPMD_PORT,
  graceMs: SESSION_DEFAULTS.graceMs,
  stallMs: 30_000,
} as const;

const ANY_PORT: ListenAddress = { host: AGENT_DEFAULTS.host, port: 0 };
const LISTENING = ['--listen', '--port', '--listen-fd'] as const;

const VALUE_OPTIONS = [
  '--listen',
  '--port',
  '--listen-fd',
  '--secret-file',
  '--pushed',
  '--grace',
  '--epmd-port',
  '--allow',
  '--stall',
  '--limit',
  '--log-level',
] as const;
type ValueOption = (typeof VALUE_OPTIONS)[number];
const FLAGS = ['--stdio', '--help', '-h', '--version'] as const;
type Flag = (typeof FLAGS)[number];

interface Collected {
  readonly flags: Set<Flag>;
  readonly values: Map<ValueOption, string>;
  readonly allow: Map<string, number>;
  readonly limits: readonly string[];
  readonly command: readonly string[];
}

/** `argv` starts behind the word `agent`. Throws USAGE with the one thing that is wrong. */
export function parseAgentOptions(argv: readonly string[], env: Environment): AgentRequest {
  const given = collect(argv);
  if (given.flags.has('--help') || given.flags.has('-h')) return { kind: 'help' };
  if (given.flags.has('--version')) return { kind: 'version' };
  const stdio = given.flags.has('--stdio');
  if (stdio && given.command.length > 0) {
    throw usage('--stdio needs stdin and stdout for itself: it does not go with a command to run');
  }
  if (stdio && LISTENING.some((name) => given.values.has(name))) {
    throw usage('--stdio and --listen, --port or --listen-fd exclude each other');
  }
  const pushed = given.values.get('--pushed');
  if (pushed !== undefined) refuseBeside(given);
  const time = (option: ValueOption, fallback: number): number => {
    const text = given.values.get(option);
    return text === undefined ? fallback : parseDuration(option, text);
  };
  const level = given.values.get('--log-level');
  return {
    kind: 'run',
    options: {
      listen: listenWay(given.values, env),
      stdio,
      secretFile: given.values.get('--secret-file'),
      pushed,
      graceMs: time('--grace', AGENT_DEFAULTS.graceMs),
      epmdPort: epmdPort(given.values, env),
      allow: given.allow,
      stallMs: time('--stall', AGENT_DEFAULTS.stallMs),
      limits: agentLimits(given.limits, env),
      logLevel: level !== undefined ? parseLevel(level) : defaultLevel(given),
      command: given.command,
    },
  };
}

/** A pushed agent is alone, and all that it needs it finds in its folder. */
function refuseBeside({ flags, values, command }: Collected): void {
  const other = ['--stdio', '--listen', '--port', '--secret-file'].find(
    (name) => flags.has(name as Flag) || values.has(name as ValueOption),
  );
  if (other !== undefined) throw usage(`--pushed and ${other} exclude each other`);
  if (command.length > 0) throw usage('--pushed does not go with a command to run');
}

/**
 * Between the app's lines only what matters; of a pushed agent nobody reads more than why it did
 * not start.
 */
function defaultLevel({ values, command }: Collected): LogLevel {
  if (values.has('--pushed')) return 'error';
  return command.length > 0 ? 'warn' : 'info';
}

function collect(argv: readonly string[]): Collected {
  const flags = new Set<Flag>();
  const values = new Map<ValueOption, string>();
  const allow = new Map<string, number>();
  const limits: string[] = [];
  let at = 0;
  for (; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--') break;
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals < 0 ? word : word.slice(0, equals);
    if (isFlag(name)) {
      if (equals >= 0) throw usage(`${name} takes no value`);
      flags.add(name);
      continue;
    }
    if (!isValueOption(name)) throw unknown(name);
    const value = equals < 0 ? argv[++at] : word.slice(equals + 1);
    if (value === undefined || value === '' || (equals < 0 && value === '--')) {
      throw usage(`${name} needs a value`);
    }
    if (name === '--allow') addAllowed(allow, value);
    else if (name === '--limit') limits.push(value);
    else if (values.has(name)) throw usage(`${name} is given twice`);
    else values.set(name, value);
  }
  const command = argv.slice(at + 1);
  if (at < argv.length && command.length === 0) throw usage('no command follows --');
  return { flags, values, allow, limits, command };
}

function addAllowed(allow: Map<string, number>, text: string): void {
  const [name, port] = parseAllow(text);
  if (allow.has(name)) throw usage(`--allow names ${name} twice`);
  allow.set(name, port);
}

function listenWay(values: ReadonlyMap<ValueOption, string>, env: Environment): ListenWay {
  const descriptor = values.get('--listen-fd');
  if (descriptor === undefined) {
    return values.has('--pushed') ? ANY_PORT : listenAddress(values, env);
  }
  if (values.has('--listen') || values.has('--port')) {
    throw usage('--listen-fd is a socket that has its port: drop --listen and --port');
  }
  return { fd: parseDescriptor('--listen-fd', descriptor) };
}

function listenAddress(values: ReadonlyMap<ValueOption, string>, env: Environment): ListenAddress {
  const listen = values.get('--listen');
  const port = values.get('--port');
  if (listen !== undefined && port !== undefined) {
    throw usage('--listen names the port too: drop --port');
  }
  if (listen !== undefined) return parseAddress('--listen', listen);
  const fromEnv = env['EPMUX_AGENT_PORT'];
  return {
    host: AGENT_DEFAULTS.host,
    port:
      port !== undefined
        ? parsePort('--port', port, 0)
        : fromEnv
          ? parsePort('EPMUX_AGENT_PORT', fromEnv, 0)
          : AGENT_DEFAULTS.port,
  };
}

function epmdPort(values: ReadonlyMap<ValueOption, string>, env: Environment): number {
  const given = values.get('--epmd-port');
  if (given !== undefined) return parsePort('--epmd-port', given, 1);
  const fromEnv = env['ERL_EPMD_PORT'];
  return fromEnv ? parsePort('ERL_EPMD_PORT', fromEnv, 1) : AGENT_DEFAULTS.epmdPort;
}

function isFlag(name: string): name is Flag {
  return (FLAGS as readonly string[]).includes(name);
}

function isValueOption(name: string): name is ValueOption {
  return (VALUE_OPTIONS as readonly string[]).includes(name);
}

function unknown(name: string): EpmuxError {
  if (!name.startsWith('-')) {
    return usage(
      `unexpected word ${name}: a command to run follows --, as in epmux agent -- ${name}`,
    );
  }
  return usage(`unknown option ${name}${didYouMean(name, [...VALUE_OPTIONS, ...FLAGS])}`);
}

function usage(message: string): EpmuxError {
  return new EpmuxError('USAGE', message, { hint: 'see `epmux agent --help`' });
}
