import { DistributionRelay } from '../../src/erlang/relay.ts';
import { type DistributionRelayOptions, RELAY_DEFAULTS } from '../../src/erlang/relay-options.ts';
import { chunked } from '../support/chunks.ts';
import type { Said } from '../support/handshakes.ts';

export const HELD = 50;
export type Side = DistributionRelayOptions['side'];

export function newRelay(
  side: Side,
  options: Partial<DistributionRelayOptions> = {},
): DistributionRelay {
  return new DistributionRelay({ ...RELAY_DEFAULTS, maxHeldBytes: HELD, side, ...options }, 0);
}

export interface Heard {
  readonly connector: Buffer;
  readonly acceptor: Buffer;
}

/** Puts what was said through the relay; what each side got to hear. */
export function through(
  relay: DistributionRelay,
  side: Side,
  said: readonly Said[],
  sizes: readonly number[] = [Number.MAX_SAFE_INTEGER],
): Heard {
  const heard: Record<Side, Uint8Array[]> = { connector: [], acceptor: [] };
  for (const { from, bytes } of said) {
    for (const chunk of chunked(bytes, sizes)) {
      const out = from === side ? relay.fromNode(chunk, 0) : relay.fromTunnel(chunk, 0);
      heard[from === 'connector' ? 'acceptor' : 'connector'].push(...out);
      if (relay.nextDeadline() > 0) continue;
      const { toNode, toTunnel } = relay.onDeadline(0);
      const far = side === 'connector' ? 'acceptor' : 'connector';
      heard[side].push(...toNode);
      heard[far].push(...toTunnel);
    }
  }
  return { connector: Buffer.concat(heard.connector), acceptor: Buffer.concat(heard.acceptor) };
}

export function sentBy(said: readonly Said[], from: Said['from']): Buffer {
  return Buffer.concat(said.filter((one) => one.from === from).map(({ bytes }) => bytes));
}
