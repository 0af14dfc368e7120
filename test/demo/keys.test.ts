import assert from 'node:assert/strict';
import ssh2 from 'ssh2';
import { makeKeyPair } from '../../src/demo/keys.ts';

describe("the demo's keys", () => {
  it('can be read back, every one of them', () => {
    for (let i = 0; i < 1_000; i += 1) {
      const { privateKey, publicKey } = makeKeyPair();
      for (const text of [privateKey, publicKey]) {
        const parsed = ssh2.utils.parseKey(text);
        assert.ok(!(parsed instanceof Error), text);
      }
    }
  });
});
