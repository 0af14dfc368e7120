import { appendFileSync } from 'node:fs';
import type { LogFields, Logger, LogLevel } from '../../runtime/logger.ts';
import { logLine } from '../log-line.ts';
import type { Redactor } from '../redact.ts';

/**
 * The supervisor's few lines in the daemon's log. Each is one append, so it stays whole beside the
 * worker's, and the worker alone rotates the file. A line that can't be written is lost.
 */
export function supervisorLog(file: string, redactor: Redactor): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      const at = new Date().toISOString();
      try {
        const line = logLine(at, level, redactor.text(message), redactor.fields(fields));
        appendFileSync(file, `${line}\n`, { mode: 0o600 });
      } catch {
        // A full disk must not end the supervision.
      }
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: () => undefined,
  };
}
