import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { environmentPlan, MarkerWatch } from '../../../src/cli/exec/environment.ts';

/** What `node` finds in its environment and on stdin behind the plan's line. */
function carry(variables: Record<string, string>, input: Buffer) {
  const command = `${process.execPath} -e '${PROGRAM}'`;
  const { line, payload, leftOut } = environmentPlan(variables, command, false, 'x');
  const shell = spawnSync('bash', ['-c', line], {
    input: Buffer.concat([payload, input]),
    env: { PATH: process.env['PATH'], SHELL: '/bin/bash' },
  });
  assert.equal(shell.status, 0, shell.stderr.toString());
  const { env, stdin } = JSON.parse(shell.stdout.toString()) as {
    env: Record<string, string>;
    stdin: string;
  };
  return { line, env, leftOut, stdin: Buffer.from(stdin, 'base64') };
}
const PROGRAM =
  'const stdin = require("fs").readFileSync(0).toString("base64"); console.log(JSON.stringify({ env: process.env, stdin }));';

describe('the variables of --env', () => {
  it('reach the command as they are, and so does the rest of stdin', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
      fc.constantFrom('it\'s\n$HOME `id` "q" \\', '\n\n', '\r\n', "'", '\\n'),
    );
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(value, value, bytes, (one, other, input) => {
        const { env, stdin } = carry({ E_ONE: one, E_OTHER: other }, Buffer.from(input));
        assert.deepEqual([env['E_ONE'], env['E_OTHER']], [one, other]);
        assert.deepEqual([...stdin], [...input]);
      }),
      { numRuns: 15 },
    );
  });

  it('never stand in the command line, and leave nothing of their own behind', () => {
    const { line, env } = carry({ TOKEN: 's3cret' }, Buffer.alloc(0));
    assert.ok(!line.includes('s3cret'));
    assert.deepEqual(
      Object.keys(env).filter((name) => name.startsWith('epmux')),
      [],
    );
  });

  it('are left out by name when no shell takes them', () => {
    const { leftOut, env } = carry(
      { UID: '7', 'a-b': '1', '1A': '2', OK_1: 'ok' },
      Buffer.alloc(0),
    );
    assert.deepEqual(leftOut.toSorted(), ['1A', 'UID', 'a-b']);
    assert.equal(env['OK_1'], 'ok');
  });

  it('may be none at all, or very long', () => {
    assert.equal(carry({}, Buffer.from('in')).stdin.toString(), 'in');
    const long = 'x\n'.repeat(20_000);
    assert.equal(carry({ LONG: long }, Buffer.alloc(0)).env['LONG'], long);
  });
});

describe('the watch for a marker', () => {
  it('takes it out wherever it is cut, and passes all else', () => {
    const text = fc.stringMatching(/^[<epmux >]{0,20}$/);
    fc.assert(
      fc.property(text, text, fc.array(fc.nat(60)), (before, after, cuts) => {
        const marker = '<epmux 1>';
        fc.pre(!`${before}${marker}`.slice(0, -1).includes(marker));
        const whole = `${before}${marker}${after}`;
        const ends = [...cuts.filter((cut) => cut < whole.length), whole.length].toSorted(
          (a, b) => a - b,
        );
        const watch = new MarkerWatch(Buffer.from(marker));
        const passed = ends.map((end, i) =>
          Buffer.from(watch.pass(Buffer.from(whole.slice(ends[i - 1] ?? 0, end)))).toString(),
        );
        assert.equal(passed.join(''), before + after);
        assert.ok(watch.found);
      }),
    );
  });

  it('gives back what it held for one that never came', () => {
    const watch = new MarkerWatch(Buffer.from('<epmux 1>'));
    assert.equal(Buffer.from(watch.pass(Buffer.from('a<epmux'))).toString(), 'a');
    assert.equal(Buffer.from(watch.rest()).toString(), '<epmux');
    assert.equal(watch.found, false);
  });
});
