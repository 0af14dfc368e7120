import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../../src/protocol/errors.ts';
import type { BytePipe } from '../../src/runtime/pipe.ts';
import type { Carrier, Transport } from '../../src/transport/transport.ts';
import type { FarEnd } from '../support/far-end.ts';
import { checkPattern, pattern } from '../support/pattern.ts';
import type { PipeOwner } from '../support/recording-pipe.ts';

/** One way to the far end's port, ready for use. */
export interface Rig {
  readonly transport: Transport;
  /** How a pipe of this way calls its loss. */
  readonly lossCode: ErrorCode;
  /** Breaks what carries the open pipes, without a word of goodbye. */
  sever(far: Socket): void | Promise<void>;
  /** Resolves once nothing that connections needed is running any more. */
  allQuiet(): Promise<void>;
  stop(): void | Promise<void>;
}

/**
 * What the tests of the contract work with: a way, a connection of it that is made anew for each
 * test, and its far end.
 */
export interface Stage {
  readonly far: FarEnd;
  readonly rig: Rig;
  readonly carrier: Carrier;
  /** A pipe, and the socket that the far end has of it. */
  open(): Promise<[BytePipe, Socket]>;
}

export const CHUNK = 64 * 1024;
export const never = new AbortController().signal;

/** Writes `total` bytes of pattern 1 as fast as the pipe takes them. */
export async function pour(
  pipe: BytePipe,
  owner: PipeOwner,
  total: number,
  onWritten: () => void = () => {},
): Promise<void> {
  for (let at = 0; at < total; at += CHUNK) {
    const before = writables(owner);
    const more = pipe.write(pattern(1, at, CHUNK));
    onWritten();
    if (!more) {
      await owner.until(() => writables(owner) > before || owner.calls.includes('closed'));
    }
    assert.ok(!owner.calls.includes('closed'), `closed while sending: ${owner.error?.message}`);
  }
}

function writables(owner: PipeOwner): number {
  let count = 0;
  for (const call of owner.calls) if (call === 'writable') count += 1;
  return count;
}

export function size(owner: PipeOwner): number {
  let sum = 0;
  for (const chunk of owner.chunks) sum += chunk.length;
  return sum;
}

interface Collected {
  readonly chunks: Buffer[];
  readonly text: string;
  until(bytes: number): Promise<void>;
}

export function collect(socket: Socket): Collected {
  const chunks: Buffer[] = [];
  let sum = 0;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    sum += chunk.length;
  });
  return {
    chunks,
    get text() {
      return Buffer.concat(chunks).toString();
    },
    until: async (bytes) => {
      while (sum < bytes) await once(socket, 'data');
    },
  };
}

export function check(stream: number, chunks: readonly Uint8Array[], total: number): void {
  let at = 0;
  for (const chunk of chunks) {
    checkPattern(stream, at, chunk);
    at += chunk.length;
  }
  assert.equal(at, total);
}

/** The far end has seen an end or a loss. */
export async function gone(socket: Socket): Promise<void> {
  if (socket.readableEnded || socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
}

/** What the far end wrote has been taken by its kernel. */
export async function echoOf(socket: Socket): Promise<void> {
  while (socket.writableLength > 0) await once(socket, 'drain');
}
