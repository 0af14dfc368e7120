import assert from 'node:assert/strict';
import { closest, didYouMean } from '../../src/runtime/spelling.ts';

const COMMANDS = ['up', 'down', 'status', 'nodes', 'completion'];

describe('the closest right spelling', () => {
  const cases: [written: string, meant: string | undefined][] = [
    ['stauts', 'status'],
    ['Status', 'status'],
    ['satus', 'status'],
    ['statuss', 'status'],
    ['dwon', 'down'],
    ['node', 'nodes'],
    ['comp', 'completion'],
    ['uo', 'up'],
    ['frobnicate', undefined],
    ['x', undefined],
    ['', undefined],
  ];
  for (const [written, meant] of cases) {
    it(`of "${written}" is ${meant ?? 'none'}`, () => {
      assert.equal(closest(written, COMMANDS), meant);
    });
  }

  it('is the nearest of several', () => {
    assert.equal(closest('--cooky-file', ['--secret-file', '--cookie-file']), '--cookie-file');
  });

  it('reads as a question, or as nothing', () => {
    assert.equal(didYouMean('stauts', COMMANDS), ': did you mean status?');
    assert.equal(didYouMean('frobnicate', COMMANDS), '');
  });
});
