import yargs, { type Argv } from 'yargs';
import { EpmuxError } from '../protocol/errors.ts';
import { LOG_LEVELS } from '../runtime/logger.ts';
import { didYouMean } from '../runtime/spelling.ts';
import type { CommandModule, Given, OptionSpec, OptionSpecs } from './command.ts';
import { AGENT, COMMANDS, type CommandEntry, LISTED } from './commands/index.ts';

/** What a command line asks for. */
export type Request =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: CommandModule; readonly given: Given<OptionSpecs> };

/** Known wherever a command stands. */
export const COMMON_OPTIONS = {
  'log-level': {
    type: 'string',
    requiresArg: true,
    describe: 'error, warn, info or debug; debug also shows where an error came from',
    values: LOG_LEVELS,
  },
  help: { type: 'boolean', alias: 'h', describe: 'show this help' },
} as const satisfies OptionSpecs;

const NEEDS_VALUE = ' needs a value';
const EXIT_CODES =
  'Exit codes: 0 done, 1 failed, 2 usage, 3 not connected, 4 not found, 5 not allowed';

/** In less, names of options would be broken. */
const MIN_COLUMNS = 40;

/** `argv` without the program. Throws USAGE with the one thing that is wrong. */
export async function parseCommandLine(argv: readonly string[], columns: number): Promise<Request> {
  const end = argv.indexOf('--');
  const words = end < 0 ? [...argv] : argv.slice(0, end);
  const rest = end < 0 ? [] : argv.slice(end + 1);
  const at = commandIndex(words);
  const word = words[at];
  if (word === 'help') return helpFor(words[at + 1], columns);
  if (word === undefined) {
    if (words.includes('--version')) return { kind: 'version' };
    if (words.includes('--help') || words.includes('-h')) return helpFor(undefined, columns);
    refuseUnknown(words);
    throw new EpmuxError('USAGE', 'no command is given');
  }
  const command = await findCommand(word).load();
  if (words.includes('--help') || words.includes('-h')) return helpFor(word, columns);
  words.splice(at, 1);
  const given = await parseOptions(command, words);
  if (rest.length > 0 && command.rest === undefined) {
    throw usage(command, `${command.name} takes no words behind --`);
  }
  return { kind: 'run', command, given: { ...given, rest } };
}

/** Where the command's name stands, or the number of words when none does. */
export function commandIndex(words: readonly string[]): number {
  const index = words.findIndex(
    (word, at) => !word.startsWith('-') && words[at - 1] !== '--log-level',
  );
  return index < 0 ? words.length : index;
}

function findCommand(word: string): CommandEntry {
  const entry = COMMANDS.find((known) => known.name === word);
  if (entry !== undefined) return entry;
  if (word === AGENT.name) {
    throw new EpmuxError('USAGE', 'the options of the agent stand behind the word agent', {
      hint: 'see `epmux agent --help`',
    });
  }
  const names = LISTED.map((known) => known.name);
  throw new EpmuxError('USAGE', `unknown command ${word}${didYouMean(word, names)}`);
}

/** Options without a command. */
function refuseUnknown(words: readonly string[]): void {
  const known = [...Object.keys(COMMON_OPTIONS), 'version'].map((name) => `--${name}`);
  for (const word of words) {
    const name = word.split('=')[0] ?? '';
    if (word.startsWith('-') && !known.includes(name)) {
      throw new EpmuxError('USAGE', `unknown option ${name}${didYouMean(name, known)}`);
    }
  }
}

/** yargs is given a folder: it asks for the working one otherwise, which may be gone. */
function parser(words: readonly string[]): Argv {
  return yargs(words, '/')
    .scriptName('epmux')
    .exitProcess(false)
    .version(false)
    .help(false)
    .showHelpOnFail(false)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .updateStrings({ 'Not enough arguments following: %s': `%s${NEEDS_VALUE}` });
}

async function parseOptions(
  command: CommandModule,
  words: readonly string[],
): Promise<Omit<Given<OptionSpecs>, 'rest'>> {
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS };
  const parsed = await parser(words)
    .options(specs)
    .fail((message: string, error: unknown) => {
      if (error instanceof EpmuxError) throw error;
      const says = message?.endsWith(NEEDS_VALUE) ? written(message) : message || String(error);
      throw usage(command, says);
    })
    .parseAsync();
  const {
    _: positionals,
    $0: _program,
    ...options
  } = parsed as Record<string, unknown> & {
    _: readonly (string | number)[];
  };
  assertOptions(command, specs, options, words);
  assertFlags(command, specs, words);
  const most = command.positional === undefined ? 0 : 1;
  const extra = positionals[most];
  if (extra !== undefined) {
    const takes = most === 0 ? 'no words' : `one ${command.positional?.name} only`;
    throw usage(command, `unexpected word ${extra}: ${command.name} takes ${takes}`);
  }
  const positional = positionals[0] === undefined ? undefined : String(positionals[0]);
  if (positional !== undefined) {
    assertOneOf(command, command.positional?.name ?? '', positional, command.positional?.values);
  }
  return { options: options as Given<OptionSpecs>['options'], positional };
}

function assertOptions(
  command: CommandModule,
  specs: OptionSpecs,
  options: Readonly<Record<string, unknown>>,
  words: readonly string[],
): void {
  const known = new Map<string, OptionSpec>();
  for (const [name, spec] of Object.entries(specs)) {
    for (const alias of [name, ...aliasesOf(spec)]) known.set(alias, spec);
  }
  for (const [key, value] of Object.entries(options)) {
    const spec = known.get(key);
    if (spec === undefined) throw unknownOption(command, specs, key, words);
    if (Array.isArray(value) && spec.array !== true) {
      throw usage(command, `${written(key)} is given more than once`);
    }
    if (typeof value === 'string') assertOneOf(command, written(key), value, spec.values);
  }
}

/** yargs takes whatever stands behind a `=` for no, but for `true`. */
function assertFlags(command: CommandModule, specs: OptionSpecs, words: readonly string[]): void {
  for (const word of words) {
    const [, written] = /^(--?[\w-]+)=/.exec(word) ?? [];
    if (written === undefined) continue;
    const isNamed = ([name, spec]: [string, OptionSpec]): boolean =>
      written === `--${name}` || aliasesOf(spec).some((alias) => written === `-${alias}`);
    const [, spec] = Object.entries(specs).find(isNamed) ?? [];
    if (spec?.type === 'boolean') throw usage(command, `${written} takes no value`);
  }
}

function unknownOption(
  command: CommandModule,
  specs: OptionSpecs,
  key: string,
  words: readonly string[],
): EpmuxError {
  const visible = Object.entries(specs).filter(([, spec]) => spec.hidden !== true);
  const candidates = visible.map(([name]) => `--${name}`);
  // `-ssh` reaches us as the letters s and h: what the person wrote says more.
  const short = words.find((word) => /^-[^-]/.test(word) && word.includes(key));
  const word = key.length > 1 ? written(key) : (short ?? written(key));
  const meant = didYouMean(word.length > 2 ? `--${word.replace(/^-+/, '')}` : '', candidates);
  return usage(command, `unknown option ${word}${meant}`);
}

/** An option's name with its dashes, and what stands behind it. */
function written(key: string): string {
  return /^.\b/u.test(key) ? `-${key}` : `--${key}`;
}

function assertOneOf(
  command: CommandModule,
  label: string,
  value: string,
  values: readonly string[] | undefined,
): void {
  if (values === undefined || values.includes(value)) return;
  const meant = didYouMean(value, values);
  throw usage(command, `${label} takes ${values.join(', ')}, not "${value}"${meant}`);
}

export function aliasesOf(spec: OptionSpec): readonly string[] {
  if (spec.alias === undefined) return [];
  return typeof spec.alias === 'string' ? [spec.alias] : spec.alias;
}

function usage(command: CommandModule, message: string): EpmuxError {
  return new EpmuxError('USAGE', message, { hint: `see \`epmux ${command.name} --help\`` });
}

async function helpFor(word: string | undefined, columns: number): Promise<Request> {
  if (word === AGENT.name) return { kind: 'help', text: (await AGENT.help()).trimEnd() };
  const help = word === undefined ? programHelp() : commandHelp(await findCommand(word).load());
  return {
    kind: 'help',
    text: await help.wrap(Math.max(MIN_COLUMNS, Math.min(100, columns))).getHelp(),
  };
}

function programHelp(): Argv {
  let help = parser([]).usage('$0 COMMAND [options]');
  for (const { name, summary } of LISTED) help = help.command(name, summary);
  const { help: helpOption } = COMMON_OPTIONS;
  return help
    .options({ help: helpOption, version: { type: 'boolean', describe: 'show the version' } })
    .example('$0 up --ssh deploy@example.com', "a tunnel to that host's nodes")
    .example('$0 remsh my_app', 'a remote shell in the node')
    .epilogue(`$0 COMMAND --help tells more. ${EXIT_CODES}`);
}

function commandHelp(command: CommandModule): Argv {
  const { positional } = command;
  const words = [
    command.name,
    ...(positional === undefined ? [] : [`[${positional.name}]`]),
    '[options]',
    ...(command.rest === undefined ? [] : [`[-- ${command.rest}]`]),
  ];
  let help = parser([]).usage(`$0 ${words.join(' ')}\n\n${command.about}`);
  help = help.options({ ...command.options, ...COMMON_OPTIONS });
  for (const [line, what] of command.examples) help = help.example(`$0 ${line}`, what);
  return positional === undefined
    ? help
    : help.epilogue(`${positional.name}: ${positional.describe}`);
}
