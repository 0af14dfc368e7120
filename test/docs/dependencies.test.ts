import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALLOWED_LICENCES, INSTALL_SCRIPTS, WHY } from '../../scripts/dependencies/known.ts';
import { lockedPackages, readManifest } from '../../scripts/dependencies/lock.ts';
import { withTables } from '../../scripts/dependencies/page.ts';

const manifest = readManifest();
const locked = lockedPackages();
const direct = { ...manifest.dependencies, ...manifest.devDependencies };

describe('the dependencies', () => {
  it('are on their page as the lock file has them (npm run licences writes it)', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/dependencies.md'), 'utf8');
    assert.equal(page, withTables(page, manifest, locked));
    assert.ok(page.includes(`one of: ${ALLOWED_LICENCES.join(', ')};`));
  });

  it('are each there for a reason', () => {
    assert.deepEqual(Object.keys(WHY).toSorted(), Object.keys(direct).toSorted());
  });

  it('are pinned: exact versions, each with its integrity', () => {
    for (const [name, version] of Object.entries(direct)) {
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
      assert.ok(
        locked.some((one) => one.name === name && one.version === version),
        name,
      );
    }
    for (const { name, integrity } of locked) assert.match(integrity ?? '', /^sha512-/, name);
  });

  it('have licences that are allowed', () => {
    const others = locked.filter(({ licence }) => !ALLOWED_LICENCES.includes(licence));
    assert.deepEqual(others, []);
  });

  it('run no script at their install that was not looked at and decided on', () => {
    const scripted = locked.filter(({ hasInstallScript }) => hasInstallScript);
    const names = scripted.map(({ name }) => name).toSorted();
    assert.deepEqual(names, Object.keys(INSTALL_SCRIPTS).toSorted());
    assert.deepEqual(names, Object.keys(manifest.allowScripts).toSorted());
  });

  it('count as installed with epmux where npm would install them: optional peers do not', () => {
    const names = locked.filter(({ production }) => production).map(({ name }) => name);
    assert.ok(names.includes('bcrypt-pbkdf') && names.includes('cpu-features'));
    assert.ok(!names.includes('typescript') && !names.includes('esbuild'));
  });
});
