import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';

const SRC = join(import.meta.dirname, '..', '..', '..', 'src');

/**
 * What is loaded with a file: packages by their names. Types alone load nothing, nor does an
 * import() before it is called.
 */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const { module } = parseSync(file, readFileSync(file, 'utf8'));
  const loaded = [
    ...module.staticImports
      .filter(({ entries }) => entries.length === 0 || entries.some(({ isType }) => !isType))
      .map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest === null || isType ? [] : [moduleRequest.value],
      ),
    ),
  ];
  for (const name of loaded) {
    if (name.startsWith('.')) {
      for (const found of packagesOf(join(dirname(file), name), seen)) packages.add(found);
    } else if (!isBuiltin(name)) packages.add(name);
  }
  return packages;
}

describe('the process of the supervisor', () => {
  it('loads no package at all', () => {
    for (const file of ['cli/main.ts', 'daemon/supervisor/main.ts']) {
      assert.deepEqual([...packagesOf(join(SRC, file))], [], file);
    }
    assert.ok(packagesOf(join(SRC, 'daemon/worker.ts')).has('winston'));
  });
});
