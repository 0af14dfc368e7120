import type { RoleName } from './constants.ts';
import { FRAME_HEADER_BYTES } from './constants.ts';
import { encodeFrame } from './encode.ts';
import { EpmuxError } from './errors.ts';
import type { AttachFrame, WholeFrame } from './frames.ts';
import type { Hello, HelloAttributes, PeerInfo } from './hello.ts';
import { agreeOnMinor, encodeHello, hasMagic, readAttributes, readHello } from './hello.ts';
import { checkHeader, frameName, parsePayload } from './parse.ts';
import type { Transcript } from './proof.ts';
import { checkSecret, proofHolds, proofOf } from './proof.ts';
import { wireError, wireReason } from './wire-codes.ts';

export interface HandshakeOptions extends HelloAttributes {
  /** At least 16 bytes. */
  readonly secret: Uint8Array;
  /** 32 fresh random bytes. */
  readonly nonce: Uint8Array;
}

export interface DaemonHandshakeOptions extends HandshakeOptions {
  /** The ATTACH frame; asked for once, when the agent's hello is there. */
  readonly attach: () => Uint8Array;
}

export interface DaemonHandshakeResult {
  readonly peer: PeerInfo;
  /** What came behind the agent's proof: the session's, beginning with ATTACHED or REFUSE. */
  readonly rest: Uint8Array;
}

export interface AgentHandshakeResult {
  readonly peer: PeerInfo;
  readonly attach: AttachFrame;
  /** What came behind ATTACH: the session's. */
  readonly rest: Uint8Array;
}

/** What to do now. `send` may be empty; after `done` and `failed` the handshake takes no more. */
export type HandshakeStep<Result> =
  | { readonly state: 'waiting'; readonly send: Uint8Array }
  | { readonly state: 'done'; readonly send: Uint8Array; readonly result: Result }
  /** Send, then close the pipe. */
  | { readonly state: 'failed'; readonly send: Uint8Array; readonly error: EpmuxError };

const NOTHING = new Uint8Array(0);
const OTHER = { daemon: 'agent', agent: 'daemon' } as const satisfies Record<RoleName, RoleName>;
type HandshakeFrame = Extract<WholeFrame, { type: 'PROOF' | 'REFUSE' | 'ATTACH' }>;

/**
 * What both ends do alike. No more is kept than one hello or frame and the chunk that completes it:
 * lengths are checked before waiting for what they announce.
 */
abstract class Handshake<Result> {
  readonly #role: RoleName;
  readonly #options: HandshakeOptions;
  readonly #hello: Uint8Array;
  #buffer: Uint8Array = NOTHING;
  #peerHello: Hello | undefined;
  #minor = 0;
  #outbox: Uint8Array[] = [];
  #over = false;

  constructor(role: RoleName, options: HandshakeOptions) {
    checkSecret(options.secret);
    this.#role = role;
    this.#options = options;
    this.#hello = encodeHello(role, options.nonce, options);
  }

  /** The hello: to be sent as soon as the pipe is open. */
  start(): Uint8Array {
    return this.#hello;
  }

  receive(chunk: Uint8Array): HandshakeStep<Result> {
    if (this.#over) throw new EpmuxError('INTERNAL', 'the handshake is over');
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    try {
      const result = this.#peerHello === undefined ? this.#onHello() : this.onFrames();
      if (result === undefined) return { state: 'waiting', send: this.#takeOutbox() };
      this.#over = true;
      return { state: 'done', send: this.#takeOutbox(), result };
    } catch (error) {
      this.#over = true;
      if (!(error instanceof EpmuxError)) throw error;
      return { state: 'failed', send: this.#takeOutbox(), error };
    }
  }

  /** Called once: the other end's hello is there. */
  protected abstract onPeerHello(): void;
  /** Takes what frames are there; the result once the handshake is done. */
  protected abstract onFrames(): Result | undefined;

  protected send(bytes: Uint8Array): void {
    this.#outbox.push(bytes);
  }

  protected sendProof(): void {
    const proof = proofOf(this.#role, this.#options.secret, this.#transcript());
    this.send(encodeFrame({ type: 'PROOF', proof }));
  }

  protected peerProofHolds(proof: Uint8Array): boolean {
    return proofHolds(OTHER[this.#role], this.#options.secret, this.#transcript(), proof);
  }

  /** Only after the other's proof. */
  protected readPeer(): PeerInfo {
    return this.refusing(() => readAttributes(this.#knownHello(), OTHER[this.#role], this.#minor));
  }

  /** Tells the other end why, then throws. */
  protected refuse(error: EpmuxError): never {
    this.send(encodeFrame({ type: 'REFUSE', ...wireReason(error) }));
    throw error;
  }

  protected refusing<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof EpmuxError) this.refuse(error);
      throw error;
    }
  }

  /**
   * The next frame, which has to be of type `expected`; undefined while it is not there. Throws
   * what a REFUSE says.
   */
  protected nextFrame<T extends 'PROOF' | 'ATTACH'>(
    expected: T,
  ): Extract<HandshakeFrame, { type: T }> | undefined {
    const frame = this.refusing(() => this.#readFrame(expected));
    if (frame?.type === 'REFUSE') throw wireError(frame);
    return frame as Extract<HandshakeFrame, { type: T }> | undefined;
  }

  protected takeRest(): Uint8Array {
    const rest = this.#buffer;
    this.#buffer = NOTHING;
    return rest;
  }

  #onHello(): Result | undefined {
    const bytes = this.#buffer;
    let hello: Hello | undefined;
    try {
      hello = readHello(bytes, OTHER[this.#role]);
      if (hello === undefined) return undefined;
      this.#minor = agreeOnMinor(hello);
    } catch (error) {
      if (error instanceof EpmuxError && hasMagic(bytes)) this.refuse(error);
      throw error;
    }
    this.#peerHello = hello;
    this.#buffer = bytes.subarray(hello.bytes.length);
    this.onPeerHello();
    return this.onFrames();
  }

  #readFrame(expected: 'PROOF' | 'ATTACH'): HandshakeFrame | undefined {
    const bytes = this.#buffer;
    if (bytes.length < FRAME_HEADER_BYTES) return undefined;
    const header = Buffer.from(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
    const name = frameName(header.readUInt8(0));
    if (name !== expected && name !== 'REFUSE') {
      throw new EpmuxError(
        'PROTOCOL',
        `the other end sent ${name ?? 'a frame'} before ${expected}`,
      );
    }
    const length = header.readUIntBE(1, 3);
    const stream = header.readUInt32BE(4);
    checkHeader(name, length, stream);
    const end = FRAME_HEADER_BYTES + length;
    if (bytes.length < end) return undefined;
    this.#buffer = bytes.subarray(end);
    return parsePayload(name, stream, bytes.subarray(FRAME_HEADER_BYTES, end)) as HandshakeFrame;
  }

  #transcript(): Transcript {
    const peer = this.#knownHello().bytes;
    return this.#role === 'daemon'
      ? { daemon: this.#hello, agent: peer }
      : { daemon: peer, agent: this.#hello };
  }

  #knownHello(): Hello {
    if (this.#peerHello === undefined) throw new EpmuxError('INTERNAL', 'no hello yet');
    return this.#peerHello;
  }

  #takeOutbox(): Uint8Array {
    const outbox = this.#outbox;
    this.#outbox = [];
    return outbox.length === 1 ? (outbox[0] ?? NOTHING) : Buffer.concat(outbox);
  }
}

/**
 * Pure: bytes in, bytes to send and at last a result out. Sends PROOF and ATTACH as soon as the
 * agent's hello is there.
 */
export class DaemonHandshake extends Handshake<DaemonHandshakeResult> {
  readonly #attach: () => Uint8Array;

  constructor(options: DaemonHandshakeOptions) {
    super('daemon', options);
    this.#attach = options.attach;
  }

  protected override onPeerHello(): void {
    this.sendProof();
    this.send(this.#attach());
  }

  protected override onFrames(): DaemonHandshakeResult | undefined {
    const frame = this.nextFrame('PROOF');
    if (frame === undefined) return undefined;
    if (!this.peerProofHolds(frame.proof)) {
      throw new EpmuxError('SECRET_REFUSED', 'the agent did not prove that it knows the secret');
    }
    return { peer: this.readPeer(), rest: this.takeRest() };
  }
}

/** Pure, like the daemon's. Proves itself only to a daemon that did so first. */
export class AgentHandshake extends Handshake<AgentHandshakeResult> {
  #peer: PeerInfo | undefined;

  constructor(options: HandshakeOptions) {
    super('agent', options);
  }

  protected override onPeerHello(): void {}

  protected override onFrames(): AgentHandshakeResult | undefined {
    this.#peer ??= this.#provePeer();
    if (this.#peer === undefined) return undefined;
    const attach = this.nextFrame('ATTACH');
    if (attach === undefined) return undefined;
    return { peer: this.#peer, attach, rest: this.takeRest() };
  }

  #provePeer(): PeerInfo | undefined {
    const frame = this.nextFrame('PROOF');
    if (frame === undefined) return undefined;
    if (!this.peerProofHolds(frame.proof)) {
      this.refuse(
        new EpmuxError('SECRET_REFUSED', 'the daemon did not prove that it knows the secret'),
      );
    }
    const peer = this.readPeer();
    this.sendProof();
    return peer;
  }
}
