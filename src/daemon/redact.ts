import type { LogFields } from '../runtime/logger.ts';

const SECRET_KEY = /secret|cookie|token|password|passphrase|authorization/i;
const URL_USER = /\b([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi;
const SHORTEST_VALUE = 4;
const HIDDEN = '[redacted]';

/**
 * Keeps secrets out of the log whatever a message is made of: by the field's name, and by value.
 */
export class Redactor {
  readonly #values = new Set<string>();

  /**
   * From now on this text is not logged. Very short ones are left: they would blank out ordinary
   * words.
   */
  add(value: string | undefined): void {
    if (value !== undefined && value.length >= SHORTEST_VALUE) this.#values.add(value);
  }

  text(text: string): string {
    let clean = text.replace(URL_USER, `$1:${HIDDEN}@`);
    for (const value of this.#values) clean = clean.replaceAll(value, HIDDEN);
    return clean;
  }

  fields(fields: LogFields): LogFields {
    const clean: Record<string, LogFields[string]> = {};
    for (const [key, value] of Object.entries(fields)) {
      if (SECRET_KEY.test(key)) clean[key] = HIDDEN;
      else clean[key] = typeof value === 'string' ? this.text(value) : value;
    }
    return clean;
  }
}
