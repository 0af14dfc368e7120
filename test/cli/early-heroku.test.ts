import assert from 'node:assert/strict';
import { appIn } from '../../src/cli/early-heroku.ts';

describe('the app that Heroku is asked about before the command is read', () => {
  for (const words of [
    '-a my-app',
    '--app my-app',
    '--app=my-app',
    '-a=my-app',
    '-y -a my-app -d web',
  ]) {
    it(`is plain from: ${words}`, () => assert.equal(appIn(words.split(' ')), 'my-app'));
  }

  it('may be an id, which begins with a digit at times', () => {
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    assert.equal(appIn(['-a', id]), id);
  });

  for (const words of [
    '',
    '-r staging',
    '-a',
    '-a my-app --app other',
    '-a --json',
    '-a ../x',
    '-a My',
  ]) {
    it(`is not plain from: ${words}`, () => assert.equal(appIn(words.split(' ')), undefined));
  }
});
