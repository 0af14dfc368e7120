import { timingSafeEqual } from 'node:crypto';
import { EpmuxError, type ErrorCode } from '../protocol/errors.ts';
import { type Transitions, transition } from '../protocol/transitions.ts';
import { HandshakeFrames, TICK } from './framing.ts';
import {
  type AcceptorFrame,
  type ChallengeFrame,
  type Cookie,
  decodeAcceptorFrame,
  encodeName,
  encodeReply,
  encodeStatus,
  Flag,
  framed,
  type HandshakeVersion,
  proof,
  type StatusFrame,
} from './handshake.ts';
import { type Caller, isAuthCall, isYes, MessageReader } from './is-auth.ts';

export interface NodeClientOptions {
  /**
   * Without a cookie the client stops at the challenge: what the node says of itself needs no
   * proof.
   */
  readonly cookie?: Cookie;
  /** Fail unless the node has this name; without `@` only the part before it counts. */
  readonly expected?: string;
  /**
   * The host part of our own name. A constant: a node keeps the names it gave out for each host, to
   * use them again.
   */
  readonly host: string;
  /** 5 for nodes before OTP 23. */
  readonly version: HandshakeVersion;
  /** 32 random bits. */
  readonly random: () => number;
}

/** What a node says of itself in its challenge. */
export interface NodeIdentity {
  readonly name: string;
  /**
   * Without the published flag, whatever the node is: it shows that one to published nodes only.
   */
  readonly flags: bigint;
  /** 0 when it speaks version 5. */
  readonly creation: number;
}

export type NodeClientOutcome =
  | { readonly kind: 'seen'; readonly node: NodeIdentity }
  | { readonly kind: 'pong'; readonly node: NodeIdentity; readonly rttMs: number }
  /** `older`: it closed without a word, as a node before OTP 23 does on version 6. */
  | { readonly kind: 'failed'; readonly error: EpmuxError; readonly older: boolean };

/** What nodes demand. Not published: a hidden node. */
const FLAGS =
  Flag.EXTENDED_REFERENCES |
  Flag.FUN_TAGS |
  Flag.NEW_FUN_TAGS |
  Flag.EXTENDED_PIDS_PORTS |
  Flag.EXPORT_PTR_TAG |
  Flag.BIT_BINARIES |
  Flag.NEW_FLOATS |
  Flag.UTF8_ATOMS |
  Flag.MAP_TAG |
  Flag.BIG_CREATION;
/** What those of OTP 25 and later demand, and a name from the other side. */
const FLAGS_6 = FLAGS | Flag.HANDSHAKE_23 | Flag.UNLINK_ID | Flag.V4_NC | Flag.NAME_ME;

/** What it waits for. */
type State = 'status' | 'challenge' | 'ack' | 'answer' | 'done';

const NEXT: Transitions<State> = {
  status: ['challenge', 'done'],
  challenge: ['ack', 'done'],
  ack: ['answer', 'done'],
  answer: ['done'],
  done: [],
};

/**
 * A hidden node that connects to another, and asks its net_kernel what `net_adm:ping` asks. Pure:
 * bytes and time in, bytes and one outcome out.
 *
 *     status ──ok, named──▶ challenge ──┬─cookie──▶ ack ──▶ answer ──yes──▶ pong
 *                                       └─none────▶ seen
 *     and from any of them ──anything else──▶ failed
 */
export class NodeClient {
  readonly #options: NodeClientOptions;
  readonly #frames = new HandshakeFrames();
  readonly #messages = new MessageReader();
  readonly #challenge: number;
  #state: State = 'status';
  #caller: Caller;
  #node: NodeIdentity | undefined;
  #heard = false;
  #askedAt = 0;
  #outcome: NodeClientOutcome | undefined;

  constructor(options: NodeClientOptions) {
    this.#options = options;
    this.#challenge = options.random() >>> 0;
    const own = `epmux-${(options.random() >>> 0).toString(16)}@${options.host}`;
    this.#caller = { name: own, creation: 0 };
  }

  /** Once there, the connection is of no more use and the owner closes it. */
  get outcome(): NodeClientOutcome | undefined {
    return this.#outcome;
  }

  /** The first bytes to send. */
  start(): Uint8Array {
    const { version, host } = this.#options;
    const name =
      version === 6
        ? { version, flags: FLAGS_6, creation: 0, name: host }
        : { version, flags: FLAGS, creation: 0, name: this.#caller.name };
    return framed(encodeName(name));
  }

  /** Bytes to send in answer. */
  receive(chunk: Uint8Array, now: number): readonly Uint8Array[] {
    if (this.#outcome !== undefined) return [];
    this.#heard = true;
    if (this.#asked) return this.#receiveMessages(chunk, now);
    this.#frames.push(chunk);
    const out: Uint8Array[] = [];
    while (this.#outcome === undefined) {
      const frame = this.#frames.next();
      if (frame === undefined) break;
      if (frame === 'tls') this.#onTls();
      else if (typeof frame === 'string') this.#noNode();
      else out.push(...this.#receiveFrame(frame, now));
      if (this.#asked) {
        return [...out, ...this.#receiveMessages(this.#frames.rest(), now)];
      }
    }
    return out;
  }

  /** The connection has ended. */
  ended(): void {
    if (this.#outcome !== undefined) return;
    if (this.#state === 'ack') {
      this.#fail('COOKIE_REFUSED', `${this.#nodeName()} refused the cookie`);
    } else if (this.#state === 'status' && !this.#heard) {
      const older = this.#options.version === 6;
      this.#fail('NODE_UNREACHABLE', 'what listens there closed without a word', older);
    } else {
      this.#fail('NODE_UNREACHABLE', `${this.#nodeName()} closed the connection`);
    }
  }

  get #asked(): boolean {
    return this.#state === 'answer';
  }

  #receiveFrame(frame: Uint8Array, now: number): Uint8Array[] {
    let message: AcceptorFrame;
    try {
      message = decodeAcceptorFrame(frame);
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#noNode();
      return [];
    }
    if (this.#state === 'status' && message.kind === 'status') return this.#onStatus(message);
    if (this.#state === 'challenge' && message.kind === 'challenge') {
      return this.#onChallenge(message);
    }
    if (this.#state === 'ack' && message.kind === 'ack') return this.#onAck(message.digest, now);
    this.#noNode();
    return [];
  }

  #onStatus({ status, given }: StatusFrame): Uint8Array[] {
    this.#go('challenge');
    if (given !== undefined) this.#caller = given;
    else if (status === 'alive') return [framed(encodeStatus('true'))];
    else if (status !== 'ok' && status !== 'ok_simultaneous') {
      this.#fail('HANDSHAKE_REFUSED', `the node refused the connection: ${status}`);
    }
    return [];
  }

  #onChallenge(message: ChallengeFrame): Uint8Array[] {
    const { cookie, expected } = this.#options;
    const { name, flags, creation } = message;
    this.#node = { name, flags, creation };
    if (expected !== undefined && expected !== name && expected !== name.split('@')[0]) {
      this.#fail('NODE_NOT_FOUND', `the node there is ${name}, not ${expected}`);
      return [];
    }
    if (cookie === undefined) {
      this.#finish({ kind: 'seen', node: this.#node });
      return [];
    }
    this.#go('ack');
    const shown = proof(cookie, message.challenge);
    return [framed(encodeReply({ challenge: this.#challenge, digest: shown }))];
  }

  #onAck(shown: Uint8Array, now: number): Uint8Array[] {
    const { cookie = '' } = this.#options;
    if (!timingSafeEqual(shown, proof(cookie, this.#challenge))) {
      this.#fail('COOKIE_REFUSED', `${this.#nodeName()} could not prove the cookie`);
      return [];
    }
    this.#go('answer');
    this.#askedAt = now;
    return [isAuthCall(this.#caller)];
  }

  #receiveMessages(chunk: Uint8Array, now: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (const message of this.#messages.push(chunk)) {
      if (message.length === 0) out.push(TICK);
      else if (this.#node !== undefined && isYes(message, this.#caller)) {
        this.#finish({ kind: 'pong', node: this.#node, rttMs: now - this.#askedAt });
        return [];
      }
    }
    return out;
  }

  #nodeName(): string {
    return this.#node?.name ?? 'the node';
  }

  #onTls(): void {
    if (this.#state === 'status') {
      this.#fail('HANDSHAKE_REFUSED', 'the node speaks TLS (-proto_dist inet_tls)');
    } else this.#noNode();
  }

  #noNode(): void {
    this.#fail('NODE_UNREACHABLE', 'what listens there is no Erlang node');
  }

  #fail(code: ErrorCode, message: string, older = false): void {
    this.#finish({ kind: 'failed', error: new EpmuxError(code, message), older });
  }

  #finish(outcome: NodeClientOutcome): void {
    this.#go('done');
    this.#outcome = outcome;
  }

  #go(to: State): void {
    this.#state = transition(NEXT, 'a node client', this.#state, to);
  }
}
