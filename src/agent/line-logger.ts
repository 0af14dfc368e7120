import { quotedText } from '../protocol/text.ts';
import type { LogFields, Logger, LogLevel } from '../runtime/logger.ts';

const RANK = { error: 0, warn: 1, info: 2, debug: 3 } as const satisfies Record<LogLevel, number>;
const PLAIN_VALUE = /^[^\s"=\\\p{Cc}\p{Cf}]+$/u;
const MAX_VALUE_CHARS = 512;

/**
 * One line a record, `epmux agent: level message key=value`: the app's own lines may stand between them. A value with spaces, quotes or
 * control characters is written as a JSON string, so no value can fake a line.
 */
export function createLineLogger(lowest: LogLevel, write: (line: string) => void): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (RANK[level] <= RANK[lowest]) write(`epmux agent: ${level} ${message}${tail(fields)}\n`);
    };
  return { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };
}

function tail(fields: LogFields | undefined): string {
  let text = '';
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) text += ` ${key}=${show(value)}`;
  }
  return text;
}

function show(value: string | number | boolean | null): string {
  const text = String(value).slice(0, MAX_VALUE_CHARS);
  return PLAIN_VALUE.test(text) ? text : quotedText(text);
}
