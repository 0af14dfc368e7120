import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { RoleName } from '../../src/protocol/constants.ts';
import { FrameDecoder } from '../../src/protocol/decode.ts';
import {
  agreeOnMinor,
  type PeerInfo,
  readAttributes,
  readHello,
} from '../../src/protocol/hello.ts';
import { proofOf } from '../../src/protocol/proof.ts';
import { Collector, hex } from './collect.ts';

interface HelloVector {
  readonly about: string;
  readonly from: RoleName;
  readonly hex: string;
}

const vector = JSON.parse(
  readFileSync(new URL('../vectors/minors.json', import.meta.url), 'utf8'),
) as {
  readonly secret: string;
  readonly hellos: readonly (HelloVector & { readonly read: PeerInfo })[];
  readonly refused: readonly (HelloVector & { readonly code: string })[];
  readonly proofs: Readonly<Record<RoleName, string>>;
  readonly directory: { readonly about: string; readonly hex: string; readonly frame: unknown };
};

function read({ hex: bytes, from }: HelloVector): PeerInfo {
  const hello = readHello(hex(bytes), from);
  assert.ok(hello !== undefined);
  return readAttributes(hello, from, agreeOnMinor(hello));
}

describe('test vectors: minors', () => {
  for (const one of vector.hellos) {
    it(`understood: ${one.about}`, () => assert.deepEqual(read(one), one.read));
  }

  for (const one of vector.refused) {
    it(`refused: ${one.about}`, () => assert.throws(() => read(one), { code: one.code }));
  }

  it('what nobody knows is proved like the rest', () => {
    const [daemon, agent] = vector.hellos.map((one) => hex(one.hex));
    assert.ok(daemon !== undefined && agent !== undefined);
    for (const role of ['daemon', 'agent'] as const) {
      const proof = proofOf(role, hex(vector.secret), { daemon, agent });
      assert.equal(Buffer.from(proof).toString('hex'), vector.proofs[role]);
    }
  });

  it(`understood: ${vector.directory.about}`, () => {
    const sink = new Collector();
    new FrameDecoder().push(hex(vector.directory.hex), sink);
    assert.deepEqual(sink.frames, [vector.directory.frame]);
  });
});
