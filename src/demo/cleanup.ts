import { EpmuxError, messageOf } from '../protocol/errors.ts';

/** What has to be undone at the end, whatever happens in between. */
export class Cleanup {
  readonly #undo: { readonly what: string; readonly undo: () => Promise<void> }[] = [];

  add(what: string, undo: () => Promise<void>): void {
    this.#undo.push({ what, undo });
  }

  /**
   * Undoes everything, last things first. What can't be undone holds nothing else up; DEMO_FAILED
   * then names all of it.
   */
  async run(): Promise<void> {
    const failures: string[] = [];
    for (let next = this.#undo.pop(); next !== undefined; next = this.#undo.pop()) {
      try {
        await next.undo();
      } catch (error) {
        failures.push(`${next.what}: ${messageOf(error)}`);
      }
    }
    if (failures.length > 0) {
      throw new EpmuxError('DEMO_FAILED', `could not tidy up ${failures.join('; ')}`);
    }
  }
}
