import { printable, quotedText } from '../protocol/text.ts';
import type { LogFields } from '../runtime/logger.ts';

function fieldText([key, value]: readonly [string, unknown]): string {
  const text = String(value);
  return `${key}=${/^[\w.:/@+-]+$/.test(text) ? text : quotedText(text)}`;
}

/**
 * One line of the daemon's log, without its end; a terminal can show it whatever another end has
 * said.
 */
export function logLine(at: string, level: string, message: string, fields: LogFields): string {
  const words = Object.entries(fields).filter(([, value]) => value !== undefined);
  return [`${at} ${level}: ${printable(message)}`, ...words.map(fieldText)].join(' ');
}
