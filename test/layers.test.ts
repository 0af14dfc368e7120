import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { breaches, MOST_LINES } from './support/layers.ts';

const SRC = path.join(import.meta.dirname, '..', 'src');

describe('the layers', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.split(path.sep).join('/'));

  it('are kept by every file of the source', () => {
    assert.ok(files.length > 5);
    const found = files.flatMap((file) =>
      breaches(file, readFileSync(path.join(SRC, file), 'utf8')),
    );
    assert.deepEqual(found, []);
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
    ['a file too long', 'cli/a.ts', '\n'.repeat(MOST_LINES + 1)],
    ['text that is no TypeScript', 'cli/a.ts', 'import {'],
  ];
  for (const [what, file, source] of forbidden) {
    it(`finds ${what}`, () => {
      assert.notDeepEqual(breaches(file, source), []);
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
      assert.deepEqual(breaches(file, source), []);
    });
  }
});
