import type { InferredOptionTypes, Options } from 'yargs';
import type { LogLevel } from '../runtime/logger.ts';
import type { Io } from './io.ts';

/**
 * What completion offers for a value; `tunnel`: those that are up, `any-tunnel`: also those that
 * are configured.
 */
export type CompletionKind = 'file' | 'configured' | 'tunnel' | 'any-tunnel' | 'node';

/**
 * An option as yargs takes it; `complete` and `values` are for completion, `values` is also
 * checked.
 */
export interface OptionSpec extends Options {
  readonly complete?: CompletionKind;
  readonly values?: readonly string[];
}
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface Positional {
  /** As in the usage line: NAME, NODE, SHELL. */
  readonly name: string;
  readonly describe: string;
  readonly complete?: CompletionKind;
  readonly values?: readonly string[];
}

/**
 * What the command line said: options by their long names, the one positional, and the words behind
 * `--`.
 */
export interface Given<O extends OptionSpecs> {
  readonly options: Readonly<InferredOptionTypes<O>> & { readonly 'log-level'?: LogLevel };
  readonly positional: string | undefined;
  readonly rest: readonly string[];
}

/** One subcommand: one file in `commands/`, loaded when it is called for. */
export interface CommandModule<O extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** The first sentences of its help; what the list of commands says is its entry's `summary`. */
  readonly about: string;
  readonly options: O;
  readonly positional?: Positional;
  /** What the words behind `--` are; without it there may be none. */
  readonly rest?: string;
  /** Command line → what it does. */
  readonly examples: readonly (readonly [string, string])[];
  run(given: Given<O>, io: Io): Promise<number>;
}

/** Keeps the types of the options for `run`. */
export function defineCommand<const O extends OptionSpecs>(
  command: CommandModule<O>,
): CommandModule<O> {
  return command;
}

/** What NODE may be. */
export const NODE_FORMS =
  'my_app@host, my_app, a dyno (web.1), a tunnel, web.1/my_app, or nothing when there is only one node';

export const JSON_OPTION = {
  type: 'boolean',
  describe: 'print one JSON document',
} as const satisfies OptionSpec;
