import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';
import { didYouMean } from './spelling.ts';

/**
 * A bound that a person may set: a whole number from `least` to `most`. The unit stands in its
 * name.
 */
export interface Limit {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

export type LimitTable = Readonly<Record<string, Limit>>;
export type LimitsOf<Table extends LimitTable> = { readonly [Name in keyof Table]: number };

/** What `replayBytes` is called on a command line and in a variable: `replay-bytes`. */
export function limitWord(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * The defaults, and over them `settings` of the form NAME=NUMBER; of two for one name the later
 * counts. Throws `code` with the first thing that is wrong; `where` is what the settings come from.
 */
export function limitsFrom<Table extends LimitTable>(
  table: Table,
  settings: readonly string[],
  where: string,
  code: ErrorCode,
): LimitsOf<Table> {
  const names = new Map(Object.keys(table).map((name) => [limitWord(name), name]));
  const limits = Object.fromEntries(
    Object.entries(table).map(([name, limit]) => [name, limit.default]),
  );
  for (const setting of settings) {
    const [, word = '', digits = ''] = /^([^=]*)=(.*)$/.exec(setting) ?? [];
    const name = names.get(word);
    const limit = name === undefined ? undefined : table[name];
    if (name === undefined || limit === undefined) {
      const known = [...names.keys()];
      throw new EpmuxError(code, `${where}: ${setting} sets no limit${didYouMean(word, known)}`, {
        hint: `there are ${known.join(', ')}: see docs/bounds.md`,
      });
    }
    const value = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
    if (!(value >= limit.min && value <= limit.max)) {
      const range = `a whole number from ${limit.min} to ${limit.max}`;
      throw new EpmuxError(code, `${where}: ${word} is ${range}`, { hint: 'see docs/bounds.md' });
    }
    limits[name] = value;
  }
  return limits as LimitsOf<Table>;
}

/** The settings that a variable holds, parted by commas or blanks. */
export function settingsOf(variable: string | undefined): readonly string[] {
  return (variable ?? '').split(/[\s,]+/).filter((setting) => setting !== '');
}
