import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { Decoder, Told } from './target.ts';
import { TARGETS } from './targets.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** In the smallest pieces that a socket can bring: enough to see what each of them costs. */
const CHUNKS = 200_000;
/** What one more object, or the heap's own moods, may come to. */
const SLACK_BYTES = 16_000_000;
/** Of memory for each byte kept: what comes in single bytes may not be kept in single objects. */
const MAX_BYTES_A_BYTE = 4;

const nothing: Told = { fact() {}, bytes() {} };

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** False: it has refused them. */
function pour(decoder: Decoder, chunks: Iterable<Uint8Array>): boolean {
  let left = CHUNKS;
  for (const chunk of chunks) {
    try {
      decoder.push(chunk);
    } catch (error) {
      if (error instanceof EpmuxError) return false;
      throw error;
    }
    if (--left === 0) break;
  }
  return true;
}

describe('a flood of single bytes', function () {
  this.timeout(60_000);
  for (const target of TARGETS) {
    const { flood } = target;
    if (flood === undefined) continue;
    it(`is kept by ${target.name} within ${flood.mayHoldBytes} bytes`, () => {
      const decoder = target.open(nothing);
      const before = usedBytes();
      pour(decoder, flood.chunks());
      const kept = usedBytes() - before;
      const most = flood.mayHoldBytes * MAX_BYTES_A_BYTE + SLACK_BYTES;
      assert.ok(kept < most, `${kept} bytes are in use, ${most} at most`);
      // Alive until here.
      decoder.end;
    });
  }
});
