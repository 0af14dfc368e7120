import type { LogFields, Logger, LogLevel } from '../../runtime/logger.ts';
import { printable } from '../terminal/printable.ts';

const RANK = { error: 0, warn: 1, info: 2, debug: 3 } as const satisfies Record<LogLevel, number>;

/** What a connection of the command's own has to say, as talk. */
export function talkLogger(lowest: LogLevel, talk: (line: string) => void): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (RANK[level] > RANK[lowest]) return;
      const facts = Object.entries(fields).filter(([, value]) => value !== undefined);
      talk(printable([message, ...facts.map(([key, value]) => `${key}=${value}`)].join(' ')));
    };
  return { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };
}
