import { type Logger, type LogLevel, leveledLogger } from '../../runtime/logger.ts';
import { printable } from '../terminal/printable.ts';

/** What a connection of the command's own has to say, as talk. */
export function talkLogger(lowest: LogLevel, talk: (line: string) => void): Logger {
  return leveledLogger(lowest, (_level, message, fields) => {
    const facts = Object.entries(fields).filter(([, value]) => value !== undefined);
    talk(printable([message, ...facts.map(([key, value]) => `${key}=${value}`)].join(' ')));
  });
}
