import assert from 'node:assert/strict';
import { assertInput, type ExecInput, planRequest } from '../../../src/cli/exec/plan.ts';
import type { Io } from '../../../src/cli/io.ts';

const io = (onTerminal: boolean): Io => ({ onTerminal, env: { TERM: 'vt100' } }) as unknown as Io;
const requestFor = (input: ExecInput, rest: string[], onTerminal: boolean) =>
  planRequest(input, rest, undefined, io(onTerminal)).request;

describe('what exec asks for', () => {
  const refused: [input: ExecInput, rest: string[], what: RegExp][] = [
    [{ pipe: 'cat' }, ['ls'], /--pipe and a command behind -- exclude/],
    [{ pipe: 'cat', tty: true }, [], /--pipe and --tty exclude/],
    [{ tty: true, 'no-tty': true }, [], /--tty and --no-tty exclude/],
    [{ status: true }, ['ls'], /--status and a command exclude/],
    [{ status: true, pipe: 'cat' }, [], /--status and a command exclude/],
    [{ dyno: ['web.1', 'web.2'] }, ['ls'], /exec runs in one dyno/],
    [{ json: true }, ['ls'], /--json goes with --status only/],
  ];
  for (const [input, rest, what] of refused) {
    it(`is refused: ${what.source}`, () => {
      assert.throws(() => assertInput(input, rest), { code: 'USAGE', message: what });
    });
  }

  it('has a terminal where there is one here, unless told otherwise', () => {
    const kinds: [input: ExecInput, here: boolean, there: boolean][] = [
      [{}, true, true],
      [{}, false, false],
      [{ tty: true }, false, true],
      [{ 'no-tty': true }, true, false],
      [{ pipe: 'cat' }, true, false],
    ];
    for (const [input, here, there] of kinds) {
      assert.equal(requestFor(input, [], here).terminal !== undefined, there);
    }
    assert.equal(requestFor({}, [], true).terminal?.term, 'vt100');
  });

  it('is the shell itself without a command', () => {
    assert.equal(requestFor({}, [], false).command, undefined);
    assert.equal(requestFor({ pipe: 'sha256sum' }, [], false).command, 'sha256sum');
  });
});
