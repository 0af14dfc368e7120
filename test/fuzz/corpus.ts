import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './target.ts';

const FOLDER = join(import.meta.dirname, 'corpus');

/**
 * What was found worth keeping: inputs that reach what no seed does, and those that once broke
 * something (`found-…`).
 */
export function corpusOf(target: Target): Uint8Array[] {
  const folder = join(FOLDER, target.name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((name) => Uint8Array.from(readFileSync(join(folder, name))));
}

/** Its name is a digest of it. Gives the path. */
export function keep(target: Target, input: Uint8Array, prefix = ''): string {
  const folder = join(FOLDER, target.name);
  mkdirSync(folder, { recursive: true });
  const digest = createHash('sha256').update(input).digest('hex').slice(0, 12);
  const path = join(folder, `${prefix}${digest}.bin`);
  writeFileSync(path, input);
  return path;
}

/** Removes all that no finding has brought. */
export function forget(target: Target): void {
  const folder = join(FOLDER, target.name);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('found-')) rmSync(join(folder, name));
  }
}

export function corpusFolders(): string[] {
  return existsSync(FOLDER) ? readdirSync(FOLDER) : [];
}
