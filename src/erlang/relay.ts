import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { EndReason } from '../protocol/frames.ts';
import { type Transitions, transition } from '../protocol/transitions.ts';
import { TICK } from './framing.ts';
import { encodeStatus, framed, isNameTag, Tag } from './handshake.ts';
import { HandshakePass } from './handshake-pass.ts';
import { Direction, type Sender } from './relay-direction.ts';
import { type DistributionRelayOptions, PROCESS_SLEPT_MS } from './relay-options.ts';

/** `opaque`: TLS or anything else that is not followed; bytes pass as they are, without ticks. */
export type RelayPhase = 'handshake' | 'messages' | 'opaque';

/**
 * From messages too: what takes the acceptor's proof before it has shown its own is no connector.
 */
const NEXT: Transitions<RelayPhase> = {
  handshake: ['messages', 'opaque'],
  messages: ['opaque'],
  opaque: [],
};

/** What `onDeadline` wants done; a failure ends the connection after the writes. */
export interface DueWork {
  readonly toNode: readonly Uint8Array[];
  readonly toTunnel: readonly Uint8Array[];
  readonly failure?: EndReason;
}

/**
 * Stands between one node and the tunnel, one at each end of it, as a pure machine: bytes and time
 * in, bytes and a deadline out. Bytes never make it throw: what it does not understand passes
 * unchanged. `now` is in milliseconds on a monotonic scale.
 *
 *     handshake ──the ack has passed──▶ messages
 *         │                                │
 *         └───────── anything else ────────┴──▶ opaque
 */
export class DistributionRelay {
  readonly #options: DistributionRelayOptions;
  readonly #handshake: HandshakePass;
  readonly #directions: Readonly<Record<Sender, Direction>>;
  #phase: RelayPhase = 'handshake';
  #replied = false;
  #refused = false;
  #heardAt: number;
  #wroteAt: number;
  #reading = true;
  readonly #endedSides = new Set<Sender>();
  #due: DueWork | undefined;

  constructor(options: DistributionRelayOptions, now: number) {
    this.#options = options;
    this.#handshake = new HandshakePass(options);
    const far = options.side === 'connector' ? 'acceptor' : 'connector';
    this.#directions = {
      node: new Direction(options.side, 0),
      tunnel: new Direction(far, options.maxHeldBytes),
    };
    this.#heardAt = now;
    this.#wroteAt = now;
  }

  get phase(): RelayPhase {
    return this.#phase;
  }

  /** The full name, once seen. */
  get connectorName(): string | undefined {
    return this.#handshake.connectorName;
  }

  /**
   * The acceptor closed on the connector's proof of the cookie: that is how a node says that it has
   * another one.
   */
  get cookieRefused(): boolean {
    const acceptor = this.#directions.node.role === 'acceptor' ? 'node' : 'tunnel';
    return this.#replied && this.#phase === 'handshake' && this.#endedSides.has(acceptor);
  }

  /** The connector's proof of its cookie went on as another one. */
  get translated(): boolean {
    return this.#handshake.translated;
  }

  /** Bytes for the tunnel. */
  fromNode(chunk: Uint8Array, now: number): readonly Uint8Array[] {
    this.#heardAt = now;
    return this.#forward('node', chunk);
  }

  /** Bytes for the node. */
  fromTunnel(chunk: Uint8Array, now: number): readonly Uint8Array[] {
    const out = this.#forward('tunnel', chunk);
    if (out.length > 0) this.#wroteAt = now;
    return out;
  }

  /** The node will send no more: what was held, for the tunnel. */
  nodeEnded(): readonly Uint8Array[] {
    return this.#ended('node');
  }

  /** The tunnel will bring no more: what was held, for the node. */
  tunnelEnded(): readonly Uint8Array[] {
    return this.#ended('tunnel');
  }

  /**
   * The owner stops or goes on reading from the node; what is not read does not count as the node's
   * silence.
   */
  reading(on: boolean, now: number): void {
    if (on && !this.#reading) this.#heardAt = now;
    this.#reading = on;
  }

  /** When `onDeadline` is due: ask after every call. Infinity: not before another call. */
  nextDeadline(): number {
    if (this.#due !== undefined) return Number.NEGATIVE_INFINITY;
    return Math.min(this.#tickAt(), this.#silentAt());
  }

  onDeadline(now: number): DueWork {
    const due = this.#due;
    if (due !== undefined) {
      this.#due = undefined;
      return due;
    }
    if (now - this.nextDeadline() > PROCESS_SLEPT_MS) this.#heardAt = now;
    if (now >= this.#silentAt()) return { toNode: [], toTunnel: [], failure: this.#silent() };
    if (now < this.#tickAt()) return { toNode: [], toTunnel: [] };
    this.#wroteAt = now;
    return { toNode: [TICK], toTunnel: [] };
  }

  #tickAt(): number {
    const { ticks, tickMs } = this.#options;
    if (this.#phase !== 'messages' || ticks === 'pass' || this.#endedSides.has('tunnel')) {
      return Number.POSITIVE_INFINITY;
    }
    const { messages } = this.#directions.tunnel;
    return messages.atBoundary ? this.#wroteAt + tickMs : Number.POSITIVE_INFINITY;
  }

  #silentAt(): number {
    const apart = this.#phase === 'opaque' || this.#options.ticks === 'pass';
    if (apart || !this.#reading || this.#endedSides.has('node')) return Number.POSITIVE_INFINITY;
    return this.#heardAt + this.#options.nodeSilenceMs;
  }

  #silent(): EndReason {
    const seconds = Math.round(this.#options.nodeSilenceMs / 1000);
    return {
      code: WireCode.NODE_SILENT,
      text: `the node sent nothing, not even a tick, for ${seconds} s`,
    };
  }

  #forward(from: Sender, chunk: Uint8Array): Uint8Array[] {
    if (chunk.length === 0 || this.#refused) return [];
    const direction = this.#directions[from];
    if (this.#phase === 'opaque') return [chunk];
    if (direction.inMessages) return this.#messages(direction, chunk);
    direction.frames.push(chunk);
    const out: Uint8Array[] = [];
    while (!direction.inMessages) {
      const frame = direction.frames.next();
      if (frame === undefined) return out;
      const isFrame = typeof frame !== 'string';
      const isName = isFrame ? isNameTag(frame[0]) : frame === 'overlong name';
      const passed = isFrame ? this.#pass(direction, frame) : undefined;
      if (passed === undefined) {
        if (isName && this.#refuseUnread(from)) return out;
        return [...out, ...(isFrame ? [framed(frame)] : []), ...this.#turnOpaque(from)];
      }
      if (this.#refuseVisible(from) || (isName && this.#refuseTaken(from))) return out;
      out.push(passed);
    }
    const rest = direction.frames.rest();
    return rest.length > 0 ? [...out, ...this.#messages(direction, rest)] : out;
  }

  #messages(direction: Direction, chunk: Uint8Array): Uint8Array[] {
    return this.#options.ticks === 'pass' ? [chunk] : direction.messages.push(chunk);
  }

  /** The frame with its length, perhaps changed; `undefined` when it is none of a handshake's. */
  #pass(direction: Direction, frame: Uint8Array): Uint8Array | undefined {
    try {
      const passed = this.#handshake.pass(direction.role, frame);
      const last = direction.role === 'connector' ? Tag.reply : Tag.ack;
      if (frame[0] === last) {
        direction.inMessages = true;
        if (last === Tag.reply) this.#replied = true;
        else this.#go('messages');
      }
      return framed(passed);
    } catch (error) {
      if (error instanceof EpmuxError) return undefined;
      throw error;
    }
  }

  #turnOpaque(from: Sender): Uint8Array[] {
    this.#go('opaque');
    const other = from === 'node' ? 'tunnel' : 'node';
    const held = this.#directions[other].rest();
    if (held.length > 0) {
      const work = { toNode: [], toTunnel: [] };
      this.#due = from === 'node' ? { ...work, toNode: [held] } : { ...work, toTunnel: [held] };
    }
    const rest = this.#directions[from].rest();
    return rest.length > 0 ? [rest] : [];
  }

  /** True: the connector is visible and must not be. */
  #refuseVisible(from: Sender): boolean {
    if (!this.#options.hiddenOnly || this.#handshake.connectorVisible !== true) return false;
    const name = this.connectorName ?? '';
    this.#refuse(from, `${name} is a visible node and only hidden ones are let through`);
    return true;
  }

  /**
   * True: its peer would take the connector for another node, and end the connection that it has
   * with that one.
   */
  #refuseTaken(from: Sender): boolean {
    const name = this.connectorName;
    if (this.#directions[from].role !== 'connector' || name === undefined) return false;
    if (!this.#options.isTaken(name)) return false;
    this.#refuse(from, `${name} is the name of a node there, whose place it would take`);
    return true;
  }

  /** True: the connector's name may say that it is visible, and nobody has seen it. */
  #refuseUnread(from: Sender): boolean {
    const { hide, hiddenOnly } = this.#options;
    if (!(hide || hiddenOnly) || this.#directions[from].role !== 'connector') return false;
    this.#refuse(from, 'a name that can not be read can not be hidden');
    return true;
  }

  /** The connector is told as a node would tell it. */
  #refuse(from: Sender, text: string): void {
    this.#refused = true;
    const failure = { code: WireCode.HIDDEN_ONLY, text };
    const told = [framed(encodeStatus('not_allowed'))];
    this.#due =
      from === 'node'
        ? { toNode: told, toTunnel: [], failure }
        : { toNode: [], toTunnel: told, failure };
  }

  #ended(from: Sender): readonly Uint8Array[] {
    this.#endedSides.add(from);
    const direction = this.#directions[from];
    const rest = direction.rest();
    return rest.length > 0 ? [rest] : [];
  }

  #go(to: RelayPhase): void {
    this.#phase = transition(NEXT, 'a relay', this.#phase, to);
  }
}
