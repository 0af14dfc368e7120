import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { shellLine } from '../../../src/cli/exec/words.ts';

describe('the words of a command', () => {
  it('reach a program behind a shell as they are', () => {
    const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 2, maxLength: 6 }), (words) => {
        const line = shellLine(['printf', '%s\\0', ...words]) ?? '';
        const { stdout } = spawnSync('sh', ['-c', line]);
        assert.deepEqual(stdout.toString().split('\0').slice(0, -1), words);
      }),
      { numRuns: 40 },
    );
  });

  it('are a line when there is one, and none when there is none', () => {
    assert.equal(shellLine(['echo $HOME | cat']), 'echo $HOME | cat');
    assert.equal(shellLine([]), undefined);
  });

  it('are refused when no argument can be that long', () => {
    assert.throws(() => shellLine(['x'.repeat(131_072)]), { code: 'USAGE' });
    assert.ok(shellLine(['x'.repeat(131_071)]));
  });
});
