import { createHash } from 'node:crypto';
import { digest, encodeReply, framed, NO_PROOF } from '../../../src/erlang/handshake.ts';
import type { NodeRole, RelayCookies } from '../../../src/erlang/handshake-pass.ts';
import { DistributionRelay, type DueWork } from '../../../src/erlang/relay.ts';
import { RELAY_DEFAULTS } from '../../../src/erlang/relay-options.ts';
import { hex, hold, type Target, type Told, whole } from '../target.ts';
import { acceptorSays, connectorSays } from './handshakes.ts';

/**
 * An input for two sides is a list of turns: a byte whose top bit says who speaks and whose others
 * how many bytes follow (0: 128). Turn for turn it is what a schedule of two sockets would deliver.
 */
interface Turn {
  readonly from: 'connector' | 'acceptor';
  readonly bytes: Uint8Array;
}

function turns(input: Uint8Array): Turn[] {
  const found: Turn[] = [];
  for (let at = 0; at < input.length; ) {
    const head = input[at] ?? 0;
    const length = head & 0x7f || 128;
    const bytes = Uint8Array.from(input.subarray(at + 1, at + 1 + length));
    found.push({ from: head & 0x80 ? 'acceptor' : 'connector', bytes });
    at += 1 + length;
  }
  return found;
}

function turn(from: Turn['from'], bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 128) {
    const part = bytes.subarray(at, at + 128);
    parts.push(Uint8Array.of((from === 'acceptor' ? 0x80 : 0) | (part.length & 0x7f)), part);
  }
  return Buffer.concat(parts);
}

const LOCAL = 'local cookie';
const PRODUCTION = 'production cookie';
const CHALLENGE = 99;

function relay(side: NodeRole, cookies: RelayCookies | undefined, ticks: 'feed' | 'pass') {
  return new DistributionRelay(
    { ...RELAY_DEFAULTS, side, cookies, ticks, hide: cookies !== undefined, maxHeldBytes: 512 },
    0,
  );
}

/** How the two relays of a tunnel stand between two nodes; what each node gets. */
class Pair {
  readonly #laptop = relay('connector', { local: LOCAL }, 'feed');
  readonly #dyno = relay('acceptor', { production: PRODUCTION }, 'feed');
  readonly toConnector: Uint8Array[] = [];
  readonly toAcceptor: Uint8Array[] = [];

  take({ from, bytes }: Turn): void {
    if (from === 'connector') this.#outward(this.#laptop.fromNode(bytes, 0));
    else this.#inward(this.#dyno.fromNode(bytes, 0));
    this.#settle();
  }

  #outward(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.toAcceptor.push(...this.#dyno.fromTunnel(piece, 0));
  }

  #inward(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.toConnector.push(...this.#laptop.fromTunnel(piece, 0));
  }

  #settle(): void {
    for (;;) {
      const laptop = due(this.#laptop);
      const dyno = due(this.#dyno);
      if (laptop === undefined && dyno === undefined) return;
      this.toConnector.push(...(laptop?.toNode ?? []));
      this.toAcceptor.push(...(dyno?.toNode ?? []));
      this.#outward(laptop?.toTunnel ?? []);
      this.#inward(dyno?.toTunnel ?? []);
    }
  }
}

function due(machine: DistributionRelay): DueWork | undefined {
  return machine.nextDeadline() === Number.NEGATIVE_INFINITY ? machine.onDeadline(0) : undefined;
}

const cut = (bytes: Uint8Array, end: number) => bytes.subarray(0, bytes.length - end);
const STRANGER = framed(encodeReply({ challenge: 7, digest: new Uint8Array(16) }));
const SEEDS = [
  Buffer.concat([turn('connector', connectorSays(6)), turn('acceptor', acceptorSays(6, 7))]),
  Buffer.concat([turn('connector', connectorSays(5)), turn('acceptor', acceptorSays(5, 7))]),
  Buffer.concat([
    turn('connector', cut(connectorSays(6), 30)),
    turn('acceptor', cut(acceptorSays(6, 7), 30)),
    turn('connector', STRANGER),
    turn('acceptor', framed(Buffer.concat([hex('61'), new Uint8Array(16)]))),
  ]),
  Buffer.concat([turn('connector', hex('1603010200010001fc03')), turn('acceptor', hex('160303'))]),
];

/**
 * Neither side knows a cookie: the connector not the local one, the acceptor not production's.
 * Whatever they send, nobody may be given a proof: that is what keeps the cookies' lending for
 * those who have one of them.
 */
const strangers: Target = {
  name: 'cookie-strangers',
  errors: [],
  whole: true,
  seeds: SEEDS,
  open: whole((input, told) => {
    const pair = new Pair();
    const schedule = turns(input);
    for (const one of schedule) pair.take(one);
    const toAcceptor = Buffer.concat(pair.toAcceptor);
    const toConnector = Buffer.concat(pair.toConnector);
    told.bytes('to the acceptor', toAcceptor);
    told.bytes('to the connector', toConnector);
    for (const challenge of challenges(schedule)) {
      for (const cookie of [LOCAL, PRODUCTION]) {
        const proof = Buffer.from(digest(cookie, challenge));
        hold(!toAcceptor.includes(proof), `the acceptor is given a proof of the ${cookie}`);
        hold(!toConnector.includes(proof), `the connector is given a proof of the ${cookie}`);
      }
    }
  }),
};

/** Every number that the two could have asked with: any four bytes of what was said. */
function challenges(schedule: readonly Turn[]): Set<number> {
  const found = new Set([CHALLENGE, 7]);
  for (const from of ['connector', 'acceptor'] as const) {
    const said = Buffer.concat(
      schedule.filter((one) => one.from === from).map(({ bytes }) => bytes),
    );
    for (let at = 0; at + 4 <= said.length && at < 256; at += 1) found.add(said.readUInt32BE(at));
  }
  return found;
}

/** With nothing to change, what goes in comes out, in any pieces and whatever it is. */
const transparent: Target = {
  name: 'relay',
  errors: [],
  whole: true,
  seeds: SEEDS,
  open: whole((input, told) => {
    for (const side of ['connector', 'acceptor'] as const) passes(side, turns(input), told);
  }),
};

function passes(side: NodeRole, schedule: readonly Turn[], told: Told): void {
  const machine = relay(side, undefined, 'pass');
  const out = { node: [] as Uint8Array[], tunnel: [] as Uint8Array[] };
  for (const { from, bytes } of schedule) {
    if (from === side) out.tunnel.push(...machine.fromNode(bytes, 0));
    else out.node.push(...machine.fromTunnel(bytes, 0));
    const work = due(machine);
    out.node.push(...(work?.toNode ?? []));
    out.tunnel.push(...(work?.toTunnel ?? []));
    hold(work?.failure === undefined, 'a failure of bytes that should pass');
  }
  out.tunnel.push(...machine.nodeEnded());
  out.node.push(...machine.tunnelEnded());
  for (const to of ['node', 'tunnel'] as const) {
    const far = side === 'connector' ? 'acceptor' : 'connector';
    const sender = to === 'tunnel' ? side : far;
    const said = Buffer.concat(schedule.filter(({ from }) => from === sender).map((t) => t.bytes));
    const got = Buffer.concat(out[to]);
    hold(unmarked(said) === unmarked(got), `bytes for the ${to} are changed`);
  }
  told.fact({ side, phase: machine.phase });
}

/** A mark from a node goes on as another proof of nothing. */
function unmarked(bytes: Buffer): string {
  const text = bytes
    .toString('latin1')
    .replaceAll(Buffer.from(NO_PROOF).toString('latin1'), '\0'.repeat(16));
  return createHash('sha256').update(text).digest('hex');
}

export const RELAY_TARGETS: readonly Target[] = [strangers, transparent];
