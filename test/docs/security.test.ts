import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const docs = path.join(import.meta.dirname, '../../docs');
const page = readFileSync(path.join(docs, 'security.md'), 'utf8');
const links = [...page.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);

describe('docs/security.md', () => {
  it('names tests that are there', () => {
    const tests = links.filter((target) => target.includes('/test/'));
    assert.ok(tests.length > 40);
    assert.deepEqual(
      links.filter((target) => !existsSync(path.join(docs, target))),
      [],
    );
  });

  it('names a test for each thing that somebody can not do', () => {
    const rows = [...page.matchAll(/^\| (.*?) \| (.*?) \| (.*?) \|$/gm)];
    const claims = rows.filter(([, can, cannot]) => can !== 'can' && /^[a-z]/.test(cannot ?? ''));
    const borders = page.indexOf('## Who can do what');
    const untested = claims
      .filter(({ index }) => index > borders)
      .filter(([, , , tests = '']) => !tests.includes('](../test/'));
    assert.deepEqual(
      untested.map(([row]) => row),
      [],
    );
  });
});
