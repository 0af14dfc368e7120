import assert from 'node:assert/strict';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import {
  AgentHandshake,
  DaemonHandshake,
  type HandshakeStep,
} from '../../src/protocol/handshake.ts';
import { naiveSplit } from './naive.ts';

export const SECRET = Buffer.from('a secret of sixteen bytes or more');
export const ATTACH: Frame = {
  type: 'ATTACH',
  kind: 'new',
  sessionId: 'ab'.repeat(16),
  received: 0,
};
export const NOTHING = new Uint8Array(0);

export function newDaemon(secret: Uint8Array = SECRET, attach = () => encodeFrame(ATTACH)) {
  return new DaemonHandshake({
    secret,
    nonce: new Uint8Array(32).fill(1),
    software: 'epmux/1.2.3',
    attach,
  });
}

export function newAgent(secret: Uint8Array = SECRET) {
  return new AgentHandshake({
    secret,
    nonce: new Uint8Array(32).fill(2),
    software: 'epmux/4.5.6',
    bootId: new Uint8Array(16).fill(0xbb),
    hostName: 'dyno',
  });
}

/** Feeds until the handshake is over; what was fed behind that is returned as left. */
export function feed<R>(
  end: { receive(chunk: Uint8Array): HandshakeStep<R> },
  chunks: Iterable<Uint8Array>,
): { step: HandshakeStep<R>; sent: Uint8Array; left: Uint8Array } {
  let step: HandshakeStep<R> = { state: 'waiting', send: NOTHING };
  const sent: Uint8Array[] = [];
  const left: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (step.state === 'waiting') {
      step = end.receive(chunk);
      sent.push(step.send);
    } else {
      left.push(chunk);
    }
  }
  return { step, sent: Buffer.concat(sent), left: Buffer.concat(left) };
}

export function done<R>(step: HandshakeStep<R>): R {
  assert.ok(step.state === 'done', step.state === 'failed' ? step.error.message : step.state);
  return step.result;
}

export function failed<R>(step: HandshakeStep<R>, code: string): EpmuxError {
  assert.equal(step.state, 'failed');
  const { error } = step as { error: EpmuxError };
  assert.ok(error instanceof EpmuxError);
  assert.equal(error.code, code, error.message);
  return error;
}

/** The code of the REFUSE that is all of `bytes`. */
export function refusal(bytes: Uint8Array): number {
  const [frame, more] = naiveSplit(bytes);
  assert.equal(more, undefined);
  assert.equal(frame?.type, 0x02);
  return Buffer.from(frame?.payload ?? []).readUInt16BE(0);
}

export function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = value;
  return copy;
}
