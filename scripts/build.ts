/** Builds dist/ anew. A build that fails leaves the old dist/ alone. */
import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../src/protocol/errors.ts';
import { buildPackage } from './build-package.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
/** Beside it: a folder does not move to another file system, which node_modules may be on. */
const FRESH = join(ROOT, `.dist-${process.pid}`);

try {
  const { size } = statSync(await buildPackage(FRESH));
  rmSync(DIST, { recursive: true, force: true });
  renameSync(FRESH, DIST);
  console.log(`built dist/; dist/agent.mjs has ${Math.ceil(size / 1024)} KiB`);
} catch (error) {
  console.error(`build: ${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(FRESH, { recursive: true, force: true });
}
