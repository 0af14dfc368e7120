import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cookieSource, secretOf } from '../../../src/cli/doctor/secrets.ts';
import type { TunnelSpec } from '../../../src/daemon/control/api.ts';
import { tempFolder } from '../../support/temp-folder.ts';

describe('what doctor proves itself with', () => {
  const folder = tempFolder();

  function specOf(text: string): TunnelSpec & { readonly cookieFile: string } {
    const file = join(folder.path, 'file');
    writeFileSync(file, text);
    return {
      name: 'prod',
      way: { kind: 'connect', host: 'h', port: 1 },
      agent: 'auto',
      agentPort: 9001,
      hiddenOnly: false,
      secretFile: file,
      cookieFile: file,
    };
  }

  it("is the file's secret and cookie, without the white space around them", async () => {
    const spec = specOf(' of the file\n');
    assert.equal(await secretOf(spec, {}), 'of the file');
    const cookie = cookieSource({ spec, given: {}, configVars: {}, env: {} });
    assert.deepEqual(await cookie(), {
      cookie: 'of the file',
      source: spec.cookieFile,
      isGuess: false,
    });
  });

  it('is what was given, whatever file there is', async () => {
    assert.equal(await secretOf(specOf('of the file'), { secret: ' given ' }), 'given');
  });

  it('is nothing of a file that holds more than a secret', async () => {
    const spec = specOf('x'.repeat(5_000));
    const refusal = { code: 'USAGE', message: /holds 5000 bytes, and a secret has at most 4096/ };
    await assert.rejects(secretOf(spec, {}), refusal);
    await assert.rejects(cookieSource({ spec, given: {}, configVars: {}, env: {} })(), refusal);
  });
});
