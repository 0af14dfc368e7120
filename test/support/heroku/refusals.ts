import assert from 'node:assert/strict';
import type { Run } from '../laptop.ts';

/** The exit code, `(CODE)` with one hint after it, the text, and nothing of a stack trace. */
export function assertFailed(run: Run, exit: number, code: string, text: RegExp): void {
  assert.equal(run.code, exit, run.stderr);
  assert.match(run.stderr, new RegExp(`^epmux: .* \\(${code}\\)\\nhint: .+\\n$`, 'm'));
  assert.match(run.stderr, text);
  assert.doesNotMatch(run.stderr, /\n {4}at |undefined|\[object/);
  assert.equal(run.stdout, '');
}
