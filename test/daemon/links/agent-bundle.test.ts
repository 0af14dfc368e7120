import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import { tempFolder } from '../../support/temp-folder.ts';

describe('the agent that is pushed', () => {
  const folder = tempFolder();

  it('is the one that was there first, whatever becomes of the file', async () => {
    const file = join(folder.path, 'replaced.mjs');
    writeFileSync(file, 'of this version');
    const bundle = new AgentBundle(file);
    await bundle.read();
    writeFileSync(file, 'of the next version');
    const { bytes, sha256 } = await bundle.pack();
    rmSync(file);
    assert.equal(gunzipSync(bytes).toString(), 'of this version');
    assert.equal(sha256, createHash('sha256').update('of this version').digest('hex'));
    assert.equal((await bundle.pack()).bytes, bytes);
  });

  it('is looked for again where it was not there', async () => {
    const file = join(folder.path, 'late.mjs');
    const bundle = new AgentBundle(file);
    await assert.rejects(bundle.pack(), { code: 'ENOENT' });
    writeFileSync(file, 'there');
    assert.equal(gunzipSync((await bundle.pack()).bytes).toString(), 'there');
  });
});
