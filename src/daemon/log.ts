import type winston from 'winston';
import type { LogFields, Logger, LogLevel } from '../runtime/logger.ts';
import type { DaemonLimits } from './limits.ts';
import { LogFile, type LogFileOptions } from './log-file.ts';
import { logLine } from './log-line.ts';
import { Redactor } from './redact.ts';

const CLOSE_TIMEOUT_MS = 2_000;
/** The library takes longer to load than the rest of the daemon, and nobody waits for the daemon any more by then. */
const LOAD_AFTER_MS = 10_000;
/** In the library's order. */
const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

export interface DaemonLogOptions {
  readonly level: LogLevel;
  /** Absent: no file. */
  readonly file?: string;
  readonly fileOptions?: Partial<LogFileOptions>;
  /** Also written to, line by line: stderr of a daemon in the foreground. */
  readonly stream?: NodeJS.WritableStream;
  /** When the library takes over; 10 s after the beginning unless told. */
  readonly loadAfterMs?: number;
}

export function logFileOptions({
  logFileBytes,
  logFiles,
}: DaemonLimits): Pick<LogFileOptions, 'maxBytes' | 'maxFiles'> {
  return { maxBytes: logFileBytes, maxFiles: logFiles };
}

async function loadWinston(
  level: LogLevel,
  streams: readonly NodeJS.WritableStream[],
): Promise<winston.Logger> {
  const { createLogger, format, transports } = (await import('winston')).default;
  const line = format.printf((info) => {
    const { timestamp, message, fields } = info as winston.Logform.TransformableInfo & {
      readonly fields?: LogFields;
    };
    return logLine(String(timestamp), info.level, String(message), fields ?? {});
  });
  return createLogger({
    level,
    format: format.combine(format.timestamp(), line),
    transports: streams.map((stream) => new transports.Stream({ stream, eol: '\n' })),
  });
}

/** The daemon's log: one line an entry, secrets kept out. It neither fails nor blocks, whatever the disk does. The first lines are written without its library. */
export class DaemonLog implements Logger {
  readonly redactor = new Redactor();
  readonly #level: LogLevel;
  readonly #streams: readonly NodeJS.WritableStream[];
  readonly #file: LogFile | undefined;
  readonly #loading: NodeJS.Timeout;
  #winston: winston.Logger | undefined;
  #isClosed = false;

  constructor(options: DaemonLogOptions) {
    this.#file =
      options.file === undefined ? undefined : new LogFile(options.file, options.fileOptions);
    this.#level = options.level;
    this.#streams = [this.#file, options.stream].filter((stream) => stream !== undefined);
    this.#loading = setTimeout(() => void this.#load(), options.loadAfterMs ?? LOAD_AFTER_MS);
    this.#loading.unref();
  }

  /** Why the log loses lines at the moment, or undefined. */
  get problem(): string | undefined {
    return this.#file?.problem;
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
    const file = this.#file;
    this.#isClosed = true;
    clearTimeout(this.#loading);
    this.#winston?.close();
    if (file === undefined) return;
    await new Promise<void>((closed) => {
      const timer = setTimeout(closed, CLOSE_TIMEOUT_MS);
      file.end(() => {
        clearTimeout(timer);
        closed();
      });
    });
  }

  async #load(): Promise<void> {
    if (this.#streams.length === 0) return;
    try {
      const loaded = await loadWinston(this.#level, this.#streams);
      if (this.#isClosed) loaded.close();
      else this.#winston = loaded;
    } catch (error) {
      this.warn('the library of the log can not be loaded', { reason: String(error) });
    }
  }

  #log(level: LogLevel, text: string, given: LogFields): void {
    if (this.#isClosed) return;
    const message = this.redactor.text(text);
    const fields = this.redactor.fields(given);
    if (this.#winston !== undefined) {
      this.#winston.log(level, message, { fields });
      return;
    }
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.#level)) return;
    const line = `${logLine(new Date().toISOString(), level, message, fields)}\n`;
    for (const stream of this.#streams) stream.write(line);
  }
}
