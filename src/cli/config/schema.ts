import * as v from 'valibot';
import { EpmuxError } from '../../protocol/errors.ts';
import { didYouMean } from '../../runtime/spelling.ts';
import type { WayInput } from '../way/options.ts';
import { lineOfKey } from './lines.ts';

const text = v.optional(v.pipe(v.string(), v.nonEmpty('must not be empty')));

/**
 * One `[tunnels.NAME]`: the same keys as the options of `up`. What the values mean is checked where
 * it is for both.
 */
const TUNNEL = v.strictObject({
  ssh: text,
  identity: text,
  connect: text,
  command: text,
  agent: text,
  'agent-port': v.optional(v.number()),
  'epmd-port': v.optional(v.number()),
  'secret-file': text,
  'cookie-file': text,
  'hidden-only': v.optional(v.boolean()),
  app: text,
  remote: text,
  dyno: v.optional(v.union([v.string(), v.array(v.string())])),
  via: text,
} satisfies Record<keyof WayInput, v.GenericSchema>);

const CONFIGURATION = v.strictObject({ tunnels: v.optional(v.record(v.string(), TUNNEL), {}) });

export interface Configuration {
  readonly tunnels: Readonly<Record<string, WayInput>>;
}

/** Throws CONFIG_INVALID that names file, line and the first thing that is wrong. */
export function validateConfiguration(
  path: string,
  source: string,
  document: unknown,
): Configuration {
  const wrong = (keys: readonly string[], what: string): EpmuxError =>
    new EpmuxError('CONFIG_INVALID', `${path}:${lineOfKey(source, keys)}: ${what}`);
  const [keys, what] = wrongTable(document) ?? [];
  if (keys !== undefined && what !== undefined) throw wrong(keys, what);
  const result = v.safeParse(CONFIGURATION, document);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const at = (issue.path ?? []).map((step) => String(step.key));
  throw wrong(at, describe(at, issue));
}

/** Names that no record takes: they would be left out without a word. */
const NO_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** What a list of tables or a name can't be, which a record takes all the same. */
function wrongTable(document: unknown): [keys: string[], what: string] | undefined {
  const { tunnels } = document as { readonly tunnels?: unknown };
  if (typeof tunnels !== 'object' || tunnels === null) return undefined;
  if (Array.isArray(tunnels)) {
    return [['tunnels'], 'tunnels takes a table for each tunnel, [tunnels.NAME], not a list'];
  }
  for (const [name, table] of Object.entries(tunnels)) {
    const keys = ['tunnels', name];
    if (NO_NAMES.has(name)) return [keys, `${name} can't be a tunnel's name in this file`];
    if (Array.isArray(table)) return [keys, `${name} in [tunnels] takes a table, not a list`];
  }
  return undefined;
}

function describe(keys: readonly string[], issue: v.BaseIssue<unknown>): string {
  const key = keys.at(-1) ?? '';
  const table = keys.length > 1 ? ` in [${keys.slice(0, -1).join('.')}]` : '';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const known =
      keys.length > 1 ? Object.keys(TUNNEL.entries) : Object.keys(CONFIGURATION.entries);
    return `unknown key ${key}${table}${didYouMean(key, known)}`;
  }
  if (issue.kind === 'validation') return `${key}${table} ${issue.message}`;
  return `${key}${table} takes ${EXPECTED[issue.expected ?? ''] ?? issue.expected}, not ${RECEIVED[issue.received] ?? issue.received}`;
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  number: 'a number without quotes',
  boolean: 'true or false',
  Object: 'a table',
  '(string | Array)': 'a text or a list of texts',
};

const RECEIVED: Readonly<Record<string, string>> = {
  Array: 'a list of something else',
  Object: 'a table',
  Date: 'a date',
};
