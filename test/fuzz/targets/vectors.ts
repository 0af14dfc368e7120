/** The protocol's test vectors as seeds, and their values as ones to compare. */
import { readFileSync } from 'node:fs';
import { hex } from '../target.ts';

const VECTORS = new URL('../../vectors/', import.meta.url);

interface Step {
  readonly pipe: number;
  readonly from: 'daemon' | 'agent';
  readonly about: string;
  readonly hex: string;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as T;
}

export const FRAMES =
  read<Record<'frames' | 'skipped' | 'refused', { hex: string }[]>>('frames.json');
const { steps } = read<{ steps: Step[] }>('exchange.json');
export const { secret, daemon, agent } = read<{
  secret: { hex: string };
  daemon: { nonce: string; software: string };
  agent: { nonce: string; software: string; bootId: string; hostName: string };
}>('handshake.json');

/** All that one end said on a pipe, from the given step on. */
export function said(from: Step['from'], pipe: number, first = 0): Uint8Array {
  const own = steps.filter((step) => step.from === from && step.pipe === pipe);
  return hex(
    own
      .slice(first)
      .map((step) => step.hex)
      .join(''),
  );
}

/** As JSON has it: bytes in hexadecimal, 64-bit numbers in decimal text. */
export function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, field: unknown) =>
      typeof field === 'bigint'
        ? String(field)
        : field instanceof Uint8Array
          ? Buffer.from(field).toString('hex')
          : field,
    ),
  );
}
