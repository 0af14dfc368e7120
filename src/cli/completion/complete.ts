import { type ControlClient, connectDaemon } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import type { CompletionKind, OptionSpec, OptionSpecs } from '../command.ts';
import { AGENT, COMMANDS, LISTED } from '../commands/index.ts';
import { loadConfiguration } from '../config/file.ts';
import type { Io } from '../io.ts';
import { aliasesOf, COMMON_OPTIONS, commandIndex } from '../parse.ts';
import { printable } from '../terminal/printable.ts';

export interface Candidate {
  readonly value: string;
  readonly describe?: string;
}
/** `files`: the shell knows better. */
export type Completions = readonly Candidate[] | 'files';

type CompletionIo = Pick<Io, 'env' | 'cwd'>;

/** A shell waits while it completes. */
const DAEMON_TIMEOUT_MS = 1_000;

/**
 * `epmux __complete line TEXT` or `epmux __complete words WORD…`: what the completion scripts call.
 */
export async function printCompletions(argv: readonly string[], io: Io): Promise<number> {
  const [form, ...rest] = argv;
  const words = form === 'line' ? splitLine(rest[0] ?? '').slice(1) : rest;
  const found = await complete(words, io);
  if (found === 'files') io.out(':files');
  else for (const { value, describe } of found) io.out(describe ? `${value}\t${describe}` : value);
  return 0;
}

/** `words` behind the program's name; the last one is being written and may be empty. */
export async function complete(words: readonly string[], io: CompletionIo): Promise<Completions> {
  const current = words.at(-1) ?? '';
  const earlier = words.slice(0, -1);
  if (earlier.includes('--')) return 'files';
  const found = await candidatesFor(earlier, current, io);
  if (found === 'files') return found;
  return found
    .filter(({ value }) => value.startsWith(current) && PLAIN_WORD.test(value))
    .map((one) => (one.describe ? { ...one, describe: printable(one.describe) } : one));
}

/**
 * Bash puts a candidate into the command line as it is: nothing that it would run or expand,
 * whatever a dyno or a cloned repository calls its own.
 */
const PLAIN_WORD = /^[\p{L}\p{N}_.:@%+,=/-]+$/u;

async function candidatesFor(
  earlier: readonly string[],
  current: string,
  io: CompletionIo,
): Promise<Completions> {
  const at = commandIndex(earlier);
  const word = earlier[at];
  if (word === AGENT.name) return agentOptions(await AGENT.help());
  const command = await COMMANDS.find(({ name }) => name === word)?.load();
  if (command === undefined && word !== undefined && word !== 'help') return [];
  const specs: OptionSpecs = { ...(command?.options ?? GLOBAL_OPTIONS), ...COMMON_OPTIONS };
  const given = earlier.filter((_, index) => index !== at);
  const value = valueBeingWritten(specs, given, current);
  if (value !== undefined) {
    const found = await values(value.spec, io);
    return found === 'files'
      ? found
      : found.map((one) => ({ ...one, value: value.lead + one.value }));
  }
  if (current.startsWith('-')) return options(specs, given);
  if (command === undefined) return commands();
  const { positional } = command;
  return positional === undefined || hasPositional(specs, given) ? [] : values(positional, io);
}

const GLOBAL_OPTIONS: OptionSpecs = { version: { describe: 'show the version' } };

function commands(): Candidate[] {
  return LISTED.map(({ name, summary }) => ({ value: name, describe: summary }));
}

function options(specs: OptionSpecs, given: readonly string[]): Candidate[] {
  return Object.entries(specs)
    .filter(([name, spec]) => spec.hidden !== true && !given.includes(`--${name}`))
    .map(([name, spec]) => ({ value: `--${name}`, describe: spec.describe ?? '' }));
}

/** The agent's help is where its options stand. */
function agentOptions(help: string): Candidate[] {
  return [...help.matchAll(/^ {2}(--[\w-]+)[^\n]*? {2,}(.+)$/gm)].map(([, value, describe]) => ({
    value: value ?? '',
    describe: describe ?? '',
  }));
}

interface BeingWritten {
  readonly spec: OptionSpec;
  /** What of the word stands before the value: `--agent=`, or nothing. */
  readonly lead: string;
}

function valueBeingWritten(
  specs: OptionSpecs,
  given: readonly string[],
  current: string,
): BeingWritten | undefined {
  const joined = /^(--[\w-]+)=/.exec(current);
  if (joined !== null) {
    const spec = specOf(specs, joined[1] ?? '');
    return spec === undefined ? undefined : { spec, lead: joined[0] };
  }
  const spec = specOf(specs, given.at(-1) ?? '');
  return spec?.requiresArg === true ? { spec, lead: '' } : undefined;
}

function specOf(specs: OptionSpecs, word: string): OptionSpec | undefined {
  return Object.entries(specs).find(
    ([name, spec]) => word === `--${name}` || aliasesOf(spec).some((alias) => word === `-${alias}`),
  )?.[1];
}

function hasPositional(specs: OptionSpecs, given: readonly string[]): boolean {
  return given.some(
    (word, index) =>
      !word.startsWith('-') && specOf(specs, given[index - 1] ?? '')?.requiresArg !== true,
  );
}

async function values(
  of: { readonly complete?: CompletionKind; readonly values?: readonly string[] },
  io: CompletionIo,
): Promise<Completions> {
  if (of.values !== undefined) return of.values.map((value) => ({ value }));
  if (of.complete === 'file') return 'files';
  if (of.complete === undefined) return [];
  // Half a command line with a broken configuration, or without a daemon, is no place for an error:
  // there is nothing to offer.
  return KINDS[of.complete](io).catch(() => []);
}

const KINDS: Readonly<
  Record<Exclude<CompletionKind, 'file'>, (io: CompletionIo) => Promise<Candidate[]>>
> = {
  async configured(io) {
    const names = Object.keys(loadConfiguration(io.cwd, io.env)?.configuration.tunnels ?? {});
    return names.map((value) => ({ value }));
  },
  async tunnel(io) {
    const { tunnels } = await askStatus(io);
    return tunnels.map(({ name, target }) => ({ value: name, describe: target }));
  },
  async 'any-tunnel'(io) {
    const kinds = [KINDS.configured(io), KINDS.tunnel(io)];
    const found = await Promise.all(kinds.map((kind) => kind.catch(() => [])));
    return [...new Map(found.flat().map((one) => [one.value, one])).values()];
  },
  async node(io) {
    const { tunnels } = await askStatus(io);
    return tunnels.flatMap(({ name, nodes }) =>
      nodes.map((node) => ({ value: node.name, describe: name })),
    );
  },
};

async function askStatus(io: CompletionIo): ReturnType<typeof statusOf> {
  const limit = { timeoutMs: DAEMON_TIMEOUT_MS };
  const daemon = await connectDaemon(daemonPaths(io.env), limit);
  try {
    return await statusOf(daemon);
  } finally {
    daemon.close();
  }
}

function statusOf(daemon: ControlClient) {
  return daemon.call('status', {}, { timeoutMs: DAEMON_TIMEOUT_MS });
}

/**
 * Words as a shell would take them, quotes and backslashes removed; the last is the one being
 * written.
 */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? '';
    if (letter === '\\' && quote !== "'") word += line[++at] ?? '';
    else if (letter === quote) quote = '';
    else if (quote === '' && (letter === '"' || letter === "'")) quote = letter;
    else if (quote === '' && /\s/.test(letter)) {
      if (word !== '') words.push(word);
      word = '';
    } else word += letter;
  }
  return [...words, word];
}
