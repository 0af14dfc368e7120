import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RoleName } from './constants.ts';
import { MIN_SECRET_BYTES, PROOF_LABEL } from './constants.ts';
import { EpmuxError } from './errors.ts';

/** Both hellos in full, the daemon's first. */
export interface Transcript {
  readonly daemon: Uint8Array;
  readonly agent: Uint8Array;
}

export function checkSecret(secret: Uint8Array): void {
  if (secret.length < MIN_SECRET_BYTES) {
    throw new EpmuxError('CONFIG_INVALID', `a secret needs at least ${MIN_SECRET_BYTES} bytes`, {
      hint: 'make one with `openssl rand -hex 32` and give it to both ends',
    });
  }
}

/** What `prover` sends to show that it knows the secret: 32 bytes. */
export function proofOf(prover: RoleName, secret: Uint8Array, transcript: Transcript): Uint8Array {
  return createHmac('sha256', secret)
    .update(PROOF_LABEL[prover])
    .update(transcript.daemon)
    .update(transcript.agent)
    .digest();
}

/** Takes the same time wherever the two differ. */
export function proofHolds(
  prover: RoleName,
  secret: Uint8Array,
  transcript: Transcript,
  proof: Uint8Array,
): boolean {
  const expected = proofOf(prover, secret, transcript);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
}
