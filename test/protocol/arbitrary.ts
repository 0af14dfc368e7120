import fc from 'fast-check';
import type { Frame } from '../../src/protocol/frames.ts';

/** Plain objects, as the decoder makes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const stream = fc.integer({ min: 1, max: 0xffff_ffff });
const position = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const token = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Whole code points: what UTF-8 can carry. At most four bytes each. */
const wellFormed = (maxLength: number, minLength = 0) =>
  fc.string({ unit: 'binary', minLength, maxLength });
const reason = { code: fc.integer({ min: 0, max: 0xffff }), text: wellFormed(100) };
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

const directory = record({
  epoch: fc.integer({ min: 0, max: 0xffff_ffff }),
  epmdDown: fc.boolean(),
  truncated: fc.boolean(),
  nodes: fc.array(
    record({
      name: wellFormed(20),
      visible: fc.boolean(),
      cookieKnown: fc.boolean(),
      port: fc.integer({ min: 0, max: 0xffff }),
      creation: fc.integer({ min: 0, max: 0xffff_ffff }),
      release: wellFormed(5),
    }),
    { maxLength: 5 },
  ),
});

const constant = <T extends string>(type: T) => fc.constant(type);

/**
 * Frames of the pipe: neither counted nor replayed. TAIL is left out, for it depends on what came
 * before.
 */
export const pipeFrame: fc.Arbitrary<Frame> = fc.oneof(
  record({ type: constant('PROOF'), proof: bytes(32, 32) }),
  record({ type: constant('REFUSE'), ...reason }),
  record({
    type: constant('ATTACH'),
    kind: fc.constantFrom('new' as const, 'resume' as const),
    sessionId: bytes(16, 16).map((id) => Buffer.from(id).toString('hex')),
    received: position,
  }),
  record({
    type: constant('ATTACHED'),
    kind: fc.constantFrom('new' as const, 'resumed' as const),
    received: position,
  }),
  record({ type: constant('ACK'), received: position }),
  record({ type: constant('PING'), token }),
  record({ type: constant('PONG'), token }),
  record({ type: constant('GOODBYE'), ...reason }),
);

export const reliableFrame: fc.Arbitrary<Frame> = fc.oneof(
  record({
    type: constant('OPEN'),
    stream,
    streamClass: fc.constantFrom('interactive' as const, 'bulk' as const),
    target: wellFormed(128, 1),
  }),
  record({ type: constant('ACCEPT'), stream }),
  record({ type: constant('REJECT'), stream, ...reason }),
  record({ type: constant('DATA'), stream, payload: bytes(1, 300) }),
  record({ type: constant('CREDIT'), stream, limit: position }),
  record({ type: constant('FIN'), stream }),
  record({ type: constant('RESET'), stream, ...reason }),
  record({ type: constant('DIRECTORY'), directory }),
);

export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(pipeFrame, reliableFrame);

/** Sizes to cut bytes into; used in turn, over and over. */
export const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

export function* cutInto(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
