import winston from 'winston';
import { systemClock } from '../runtime/clock.ts';
import type { LogFields, Logger, LogLevel } from '../runtime/logger.ts';
import { deferred, within } from '../runtime/wait.ts';
import type { DaemonLimits } from './limits.ts';
import { LogFile, type LogFileOptions } from './log-file.ts';
import { logLine } from './log-line.ts';
import { Redactor } from './redact.ts';

const CLOSE_TIMEOUT_MS = 2_000;

export interface DaemonLogOptions {
  readonly level: LogLevel;
  readonly file: string;
  readonly fileOptions: LogFileOptions;
  /** Also written to, line by line: stderr of a daemon in the foreground. */
  readonly stream?: NodeJS.WritableStream;
}

export function logFileOptions({
  logFileBytes,
  logFiles,
}: DaemonLimits): Pick<LogFileOptions, 'maxBytes' | 'maxFiles'> {
  return { maxBytes: logFileBytes, maxFiles: logFiles };
}

const line = winston.format.printf((info) => {
  const { timestamp, level, message, fields } = info as winston.Logform.TransformableInfo & {
    readonly fields?: LogFields;
  };
  return logLine(String(timestamp), level, String(message), fields ?? {});
});

/**
 * The daemon's log: one line an entry, secrets kept out. It neither fails nor blocks, whatever the
 * disk does.
 */
export class DaemonLog implements Logger {
  readonly redactor = new Redactor();
  readonly #winston: winston.Logger;
  readonly #file: LogFile;

  constructor(options: DaemonLogOptions) {
    this.#file = new LogFile(options.file, options.fileOptions);
    const streams = [this.#file, options.stream].filter((stream) => stream !== undefined);
    this.#winston = winston.createLogger({
      level: options.level,
      format: winston.format.combine(winston.format.timestamp(), line),
      transports: streams.map((stream) => new winston.transports.Stream({ stream, eol: '\n' })),
    });
  }

  /** Why the log loses lines at the moment, or undefined. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  error(message: string, fields: LogFields = {}): void {
    this.#log('error', message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#log('warn', message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#log('info', message, fields);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#log('debug', message, fields);
  }

  /** Resolves when everything is in the file, or after a bound. */
  async close(): Promise<void> {
    this.#winston.silent = true;
    this.#winston.close();
    const written = deferred();
    this.#file.end(() => written.resolve());
    await within(systemClock, CLOSE_TIMEOUT_MS, written.promise);
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    this.#winston.log(level, this.redactor.text(message), { fields: this.redactor.fields(fields) });
  }
}
