import { quotedText } from '../protocol/text.ts';
import { type LogFields, type Logger, type LogLevel, leveledLogger } from '../runtime/logger.ts';

const PLAIN_VALUE = /^[^\s"=\\\p{Cc}\p{Cf}]+$/u;
const MAX_VALUE_CHARS = 512;

/**
 * One line a record, `epmux agent: level message key=value`: the app's own lines may stand between
 * them. A value with spaces, quotes or control characters is written as a JSON string, so no value
 * can fake a line.
 */
export function createLineLogger(lowest: LogLevel, write: (line: string) => void): Logger {
  return leveledLogger(lowest, (level, message, fields) =>
    write(`epmux agent: ${level} ${message}${tail(fields)}\n`),
  );
}

function tail(fields: LogFields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${key}=${show(value)}`;
  }
  return text;
}

function show(value: string | number | boolean | null): string {
  const text = String(value).slice(0, MAX_VALUE_CHARS);
  return PLAIN_VALUE.test(text) ? text : quotedText(text);
}
