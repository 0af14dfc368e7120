/**
 * The program as a user installs it: compiled JavaScript with the agent's bundle beside it, in a
 * folder of its own.
 */
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackage } from '../../scripts/build-package.ts';

const ROOT = join(import.meta.dirname, '..', '..');

let program: Promise<readonly string[]> | undefined;

/**
 * What runs it, whatever the working folder. Built once for this run of the tests from the sources
 * as they are, and removed with it.
 */
export function builtEpmux(): Promise<readonly string[]> {
  program ??= build();
  return program;
}

async function build(): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-package-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await buildPackage(join(folder, 'dist'));
  return [process.execPath, join(folder, 'dist', 'cli', 'main.js')];
}
