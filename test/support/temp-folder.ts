import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for each test of the suite it is called in. They are gone after the suite: whatever a
 * test's own hooks still have to end may be writing until then.
 */
export function tempFolder(): { readonly path: string } {
  const folder = { path: '' };
  const made: string[] = [];
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'epmux-'));
    made.push(folder.path);
  });
  after(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });
  return folder;
}
