import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Cleanup } from '../../src/demo/cleanup.ts';
import { makeFolder } from '../../src/demo/folder.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe("the demo's folder", () => {
  const folder = tempFolder();
  const before = process.env['TMPDIR'];
  afterEach(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });

  it('is refused where the temporary one is not there', async () => {
    process.env['TMPDIR'] = join(folder.path, 'none');
    await assert.rejects(makeFolder(false, new Cleanup()), {
      code: 'CONFIG_INVALID',
      message: /^the temporary folder .*none is not there$/,
      hint: /TMPDIR/,
    });
  });
});
