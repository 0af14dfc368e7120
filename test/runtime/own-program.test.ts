import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lastingNode, lastingScript, presentNode } from '../../src/runtime/own-program.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('the program that is started again later', () => {
  const folder = tempFolder();
  let root: string;
  let cellar: string;

  /** A link to it, or a program, in a folder of its own. */
  const made = (name: string, target?: string, script = ''): string => {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (target === undefined) writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    else symlinkSync(target, path);
    return path;
  };
  const onPath = (...files: string[]) => ({ PATH: files.map((file) => dirname(file)).join(':') });

  beforeEach(() => {
    root = realpathSync(folder.path);
    cellar = made('Cellar/node/24.1.0/bin/node');
  });

  it('is called by the link on the PATH that leads to this Node, whatever else is there', () => {
    const shim = made('shims/node');
    const brew = made('brew/bin/node', cellar);
    assert.equal(lastingNode(onPath(shim, brew), cellar), brew);
    assert.equal(lastingNode({ PATH: `brew/bin::${dirname(shim)}` }, cellar), cellar);
    assert.equal(lastingNode({}, cellar), cellar);
  });

  it('is not called by what fnm makes for one shell', () => {
    const node = made('run/fnm_multishells/12_34/bin/node', cellar);
    assert.equal(lastingNode(onPath(node), cellar), cellar);
    const main = made('lib/node_modules/epmux/dist/epmux.mjs');
    const bin = made('run/fnm_multishells/12_34/bin/epmux', main);
    assert.equal(lastingScript(bin), main);
    assert.equal(lastingScript(made('brew/bin/epmux', main)), join(root, 'brew/bin/epmux'));
  });

  it('is this Node while it is there, then the first on the PATH that is new enough', () => {
    const shim = made('shims/node', undefined, 'echo no version is set >&2; exit 126');
    const old = made('old/bin/node', undefined, 'echo 18.20.4');
    const next = made('next/bin/node', undefined, 'echo 24.1.0');
    assert.equal(presentNode(onPath(shim, old, next), cellar), cellar);
    assert.equal(presentNode(onPath(shim, old, next), join(root, 'gone')), next);
    assert.equal(presentNode(onPath(shim, old), join(root, 'gone')), undefined);
    assert.equal(presentNode({ PATH: root }, join(root, 'gone')), undefined);
  });
});
