import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  breaches,
  cycles,
  MAX_COLUMNS,
  MAX_LINES,
  type SourceFile,
  unusedExceptions,
} from './support/layers.ts';

const SRC = path.join(import.meta.dirname, '..', 'src');

describe('the layers', () => {
  const sources: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({
      file: file.split(path.sep).join('/'),
      source: readFileSync(path.join(SRC, file), 'utf8'),
    }));

  it('are kept by every file of the source', () => {
    assert.ok(sources.length > 5);
    assert.deepEqual(sources.flatMap(breaches), []);
  });

  it('know of no exception that nothing needs', () => {
    assert.deepEqual(unusedExceptions(sources), []);
  });

  it('have no files that import each other', () => {
    assert.deepEqual(cycles(sources), []);
  });
});

describe('the look for breaches', () => {
  const forbidden: [what: string, file: string, source: string][] = [
    ['a part below', 'session/a.ts', "import { pump } from '../runtime/pump.ts';"],
    ['a type of a part below', 'agent/a.ts', "import type { X } from '../daemon/x.ts';"],
    ['a part it is kept apart from', 'agent/a.ts', "import { ssh } from '../transport/ssh.ts';"],
    ['the agent in the daemon', 'daemon/a/b.ts', "export * from '../../agent/main.ts';"],
    ['the commands in the demo', 'demo/a.ts', "const x = await import('../cli/main.ts');"],
    ["the daemon's inside in a command", 'cli/a.ts', "import { W } from '../daemon/worker.ts';"],
    ['a package in the agent', 'agent/a.ts', "import yargs from 'yargs';"],
    ["a package's inner file", 'runtime/a.ts', "import x from '@scope/name/inner.js';"],
    ['a path that is computed', 'agent/a.ts', 'await import(name);'],
    ['a file outside of the parts', 'cli/a.ts', "import x from '../../scripts/build.ts';"],
    ['a type named in place', 'session/a.ts', "let x: import('../runtime/pipe.ts').BytePipe;"],
    ['I/O in a pure part', 'erlang/a.ts', "import net from 'node:net';"],
    [
      'timers by import',
      'session/a.ts',
      "import { setTimeout as wait } from 'node:timers/promises';",
    ],
    ['a timer', 'session/a.ts', 'setTimeout(() => {}, 5);'],
    ['the clock', 'session/a.ts', 'const now = Date.now();'],
    ['the clock in disguise', 'session/a.ts', 'const now = new Date();'],
    ['the monotonic clock', 'protocol/a.ts', 'performance.now();'],
    ['the process', 'protocol/a.ts', "process.env['X'];"],
    ['randomness', 'session/a.ts', "import { randomBytes } from 'node:crypto';"],
    ['an exit', 'daemon/a.ts', 'process.exit(1);'],
    ['an exit in disguise', 'cli/up.ts', "process['exit'](1);"],
    ['a file in no part', 'util.ts', 'export {};'],
    ['a file too long', 'cli/a.ts', '\n'.repeat(MAX_LINES + 1)],
    ['a comment too wide', 'cli/a.ts', `/** ${'word '.repeat(MAX_COLUMNS / 5)}*/`],
    ['text that is no TypeScript', 'cli/a.ts', 'import {'],
  ];
  for (const [what, file, source] of forbidden) {
    it(`finds ${what}`, () => {
      assert.notDeepEqual(breaches({ file, source }), []);
    });
  }

  const allowed: [what: string, file: string, source: string][] = [
    ['a part above', 'session/a.ts', "import { X } from '../protocol/x.ts';"],
    ["the daemon's client", 'cli/a.ts', "import { call } from '../daemon/control/client.ts';"],
    ['a digest', 'erlang/a.ts', "import { createHash } from 'node:crypto';"],
    [
      'a field of a global name',
      'session/a.ts',
      'interface A { process: 1 } a.process; ({ process: 1 });',
    ],
    ['a date that was given', 'session/a.ts', 'new Date(at);'],
    ['a word in a comment', 'session/a.ts', '// Date.now() and setTimeout()'],
    ['the exit of the program', 'cli/main.ts', 'process.exit(1);'],
  ];
  for (const [what, file, source] of allowed) {
    it(`lets ${what} pass`, () => {
      assert.deepEqual(breaches({ file, source }), []);
    });
  }
});

describe('the look for cycles', () => {
  it('finds each once, through types and through what is loaded late', () => {
    const found = cycles([
      { file: 'cli/a.ts', source: "import { b } from './b.ts';" },
      { file: 'cli/b.ts', source: "import type { C } from './d/c.ts'; import fs from 'node:fs';" },
      { file: 'cli/d/c.ts', source: "await import('../a.ts');" },
      { file: 'cli/e.ts', source: "import { a } from './a.ts'; export * from './b.ts';" },
    ]);
    assert.deepEqual(found, ['cli/a.ts → cli/b.ts → cli/d/c.ts → cli/a.ts']);
  });
});

describe('the look for exceptions that nothing needs', () => {
  it('names each of them', () => {
    const found = unusedExceptions([{ file: 'cli/a.ts', source: "import yargs from 'yargs';" }]);
    assert.ok(found.includes('demo may import ssh2, and does not'));
    assert.ok(found.includes('commands may import daemon/main.ts, and do not'));
    assert.ok(found.includes('cli/main.ts may exit, and does not'));
    assert.ok(!found.some((sentence) => sentence.includes('yargs')));
  });
});
