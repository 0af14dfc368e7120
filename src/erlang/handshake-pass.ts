import { timingSafeEqual } from 'node:crypto';
import {
  type AcceptorFrame,
  type AckFrame,
  type ChallengeFrame,
  type ConnectorFrame,
  decodeAcceptorFrame,
  decodeConnectorFrame,
  encodeAck,
  encodeReply,
  Flag,
  type HandshakeVersion,
  isMark,
  type NameFrame,
  NO_PROOF,
  proof,
  RELAYED_COOKIE,
  type ReplyFrame,
} from './handshake.ts';

export type NodeRole = 'connector' | 'acceptor';

/**
 * Which of the two cookies a relay knows: the one that local nodes prove, and the one that the far
 * node is shown instead. With both it translates; with one, the relay at the tunnel's other end has
 * to know the other, and a mark stands between them for what is proved.
 */
export type RelayCookies =
  | { readonly local: string; readonly production?: string }
  | { readonly local?: string; readonly production: string };

export interface HandshakePassOptions {
  /** Clear DFLAG_PUBLISHED both ways, so that each node takes the other for a hidden one. */
  readonly hide: boolean;
  readonly cookies: RelayCookies | undefined;
  /** The role of the node beside this relay. */
  readonly side: NodeRole;
}

/**
 * Where the flags' lowest byte lies in an `N` and in an `n` frame, and in both directions alike.
 */
const LOW_FLAGS_AT: Record<HandshakeVersion, number> = { 6: 8, 5: 6 };

/**
 * A handshake as it passes: learns the connector's name and flags, and gives each frame as it is to
 * go on. Trailing bytes, which newer releases may add, stay where a frame is changed in place.
 */
export class HandshakePass {
  readonly #options: HandshakePassOptions;
  #connectorName: string | undefined;
  #connectorVisible: boolean | undefined;
  #challenge: number | undefined;
  /** The connector's challenge, when its reply was translated. */
  #translated: number | undefined;

  constructor(options: HandshakePassOptions) {
    this.#options = options;
  }

  /** For a node without a name of its own: what the acceptor called it, once it did. */
  get connectorName(): string | undefined {
    return this.#connectorName;
  }

  /** As the connector said it, before any change. */
  get connectorVisible(): boolean | undefined {
    return this.#connectorVisible;
  }

  /** The connector's proof went on as another one. */
  get translated(): boolean {
    return this.#translated !== undefined;
  }

  /** The frame as it is to go on. Throws on a frame that does not belong in a handshake. */
  pass(from: NodeRole, frame: Uint8Array): Uint8Array {
    return from === 'connector'
      ? this.#fromConnector(decodeConnectorFrame(frame), frame)
      : this.#fromAcceptor(decodeAcceptorFrame(frame), frame);
  }

  #fromConnector(message: ConnectorFrame, frame: Uint8Array): Uint8Array {
    switch (message.kind) {
      case 'name':
        this.#connectorVisible = (message.flags & Flag.PUBLISHED) !== 0n;
        if ((message.flags & Flag.NAME_ME) === 0n) this.#connectorName = message.name;
        return this.#hidden(message, frame);
      case 'reply':
        return (
          this.#translateReply(message.challenge, message.digest) ??
          this.#unmarked('connector', message, frame)
        );
      case 'status':
      case 'complement':
        return frame;
    }
  }

  #fromAcceptor(message: AcceptorFrame, frame: Uint8Array): Uint8Array {
    switch (message.kind) {
      case 'status':
        if (message.given !== undefined) this.#connectorName = message.given.name;
        return frame;
      case 'challenge':
        this.#challenge = message.challenge;
        return this.#hidden(message, frame);
      case 'ack':
        return this.#translateAck(message.digest) ?? this.#unmarked('acceptor', message, frame);
    }
  }

  #hidden(message: NameFrame | ChallengeFrame, frame: Uint8Array): Uint8Array {
    if (!this.#options.hide || (message.flags & Flag.PUBLISHED) === 0n) return frame;
    const changed = Uint8Array.from(frame);
    const at = LOW_FLAGS_AT[message.version];
    changed[at] = (changed[at] ?? 0) & ~Number(Flag.PUBLISHED);
    return changed;
  }

  #translateReply(challenge: number, shown: Uint8Array): Uint8Array | undefined {
    const { cookies } = this.#options;
    const asked = this.#challenge;
    if (cookies === undefined || asked === undefined) return undefined;
    if (this.#unprovable('connector', shown)) return undefined;
    const { local = RELAYED_COOKIE, production = RELAYED_COOKIE } = cookies;
    if (!timingSafeEqual(shown, proof(local, asked))) return undefined;
    this.#translated = challenge;
    return encodeReply({ challenge, digest: proof(production, asked) });
  }

  #translateAck(shown: Uint8Array): Uint8Array | undefined {
    const { cookies } = this.#options;
    const asked = this.#translated;
    if (cookies === undefined || asked === undefined) return undefined;
    if (this.#unprovable('acceptor', shown)) return undefined;
    const { local = RELAYED_COOKIE, production = RELAYED_COOKIE } = cookies;
    if (!timingSafeEqual(shown, proof(production, asked))) return undefined;
    return encodeAck({ digest: proof(local, asked) });
  }

  /**
   * A mark is a relay's word: one that comes from the node itself would be believed at the other
   * end without any proof.
   */
  #unmarked(from: NodeRole, message: ReplyFrame | AckFrame, frame: Uint8Array): Uint8Array {
    if (!this.#unprovable(from, message.digest)) return frame;
    // What stands behind the digest stays: a node takes no notice of it.
    const changed = Uint8Array.from(frame);
    changed.set(NO_PROOF, DIGEST_AT[message.kind]);
    return changed;
  }

  #unprovable(from: NodeRole, shown: Uint8Array): boolean {
    return from === this.#options.side && isMark(shown);
  }
}

/** Behind the tag, and a reply's challenge. */
const DIGEST_AT = { reply: 5, ack: 1 } as const;
