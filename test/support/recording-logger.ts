import type { LogFields, Logger } from '../../src/runtime/logger.ts';

/** Keeps what was logged, one line an entry. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = [];

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields);
  }

  has(text: string): boolean {
    return this.lines.some((line) => line.includes(text));
  }

  #add(level: string, message: string, fields: LogFields = {}): void {
    this.lines.push(`${level}: ${message} ${JSON.stringify(fields)}`);
  }
}
