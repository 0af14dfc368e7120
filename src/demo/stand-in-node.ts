import { randomInt, timingSafeEqual } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { HandshakeFrames, TICK } from '../erlang/framing.ts';
import {
  type ConnectorFrame,
  decodeConnectorFrame,
  digest,
  encodeAck,
  encodeChallenge,
  encodeStatus,
  Flag,
  framed,
  type NameFrame,
} from '../erlang/handshake.ts';
import { answerIsAuth, MessageReader } from '../erlang/is-auth.ts';
import { listenOnLoopback } from './loopback.ts';

const HANDSHAKE_MS = 10_000;
/** A peer with the default net_ticktime sends a tick each 15 s and gives up after 45. */
const TICK_MS = 15_000;
const SILENCE_MS = 75_000;
/** All that a node of today demands; the name that a connector asks for is given. */
const FLAGS = Object.values(Flag).reduce((all, flag) => all | flag, 0n) & ~Flag.NAME_ME;

/**
 * What a node without Erlang in it can be: it does the handshake (version 6), and its net_kernel
 * says that the cookie was right.
 */
export interface StandInNode {
  readonly port: number;
  /** How long an answer takes from here on. */
  answerMs: number;
  /** Connections that ended while an answer was due: a nodedown in the middle of a call. */
  readonly lostCalls: number;
  /** Resolves with the next question. */
  asked(signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

export async function startStandInNode(name: string, cookie: string): Promise<StandInNode> {
  const creation = randomInt(1, 2 ** 32);
  const questions = new EventEmitter();
  const node = { answerMs: 0, lostCalls: 0 };
  const server = await listenOnLoopback((socket) => {
    const due = new Set<NodeJS.Timeout>();
    new Peer(socket, { name, cookie, creation }, (answer) => {
      const timer = setTimeout(() => {
        due.delete(timer);
        socket.write(answer);
      }, node.answerMs);
      due.add(timer);
      questions.emit('asked');
    });
    socket.once('close', () => {
      for (const timer of due) clearTimeout(timer);
      if (due.size > 0) node.lostCalls += 1;
    });
  });
  return Object.assign(node, {
    port: server.port,
    asked: (signal: AbortSignal) => once(questions, 'asked', { signal }),
    close: () => server.close(),
  });
}

interface Self {
  readonly name: string;
  readonly cookie: string;
  readonly creation: number;
}

/** One connection: name, status and challenge, reply and ack, then messages and ticks. */
class Peer {
  readonly #socket: Socket;
  readonly #self: Self;
  readonly #challenge = randomInt(0, 2 ** 32);
  readonly #frames = new HandshakeFrames();
  readonly #messages = new MessageReader();
  readonly #onQuestion: (answer: Uint8Array) => void;
  #named = false;
  #connected = false;

  constructor(socket: Socket, self: Self, onQuestion: (answer: Uint8Array) => void) {
    this.#socket = socket;
    this.#self = self;
    this.#onQuestion = onQuestion;
    socket.setTimeout(HANDSHAKE_MS, () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.on('data', (chunk) => {
      try {
        this.#onBytes(chunk);
      } catch {
        // A node hangs up on what is no handshake.
        socket.destroy();
      }
    });
  }

  #onBytes(chunk: Uint8Array): void {
    if (this.#connected) {
      this.#onMessages(chunk);
      return;
    }
    this.#frames.push(chunk);
    while (!this.#connected) {
      const frame = this.#frames.next();
      if (frame === undefined) return;
      if (typeof frame === 'string') throw new RangeError('no handshake frame');
      this.#onFrame(decodeConnectorFrame(frame));
    }
    this.#onMessages(this.#frames.rest());
  }

  #onFrame(frame: ConnectorFrame): void {
    if (frame.kind === 'name' && frame.version === 6 && !this.#named) {
      this.#named = true;
      this.#socket.write(this.#statusFor(frame));
      const { name, creation } = this.#self;
      const challenge = this.#challenge;
      const answer = { version: 6, flags: FLAGS, challenge, creation, name } as const;
      this.#socket.write(framed(encodeChallenge(answer)));
      return;
    }
    if (frame.kind !== 'reply' || !this.#named) throw new TypeError('out of turn');
    const { cookie } = this.#self;
    if (!timingSafeEqual(frame.digest, digest(cookie, this.#challenge))) {
      throw new RangeError('another cookie');
    }
    this.#connected = true;
    this.#socket.write(framed(encodeAck({ digest: digest(cookie, frame.challenge) })));
    this.#socket.setTimeout(SILENCE_MS);
    const ticking = setInterval(() => this.#socket.write(TICK), TICK_MS);
    this.#socket.once('close', () => clearInterval(ticking));
  }

  #statusFor({ flags, name }: NameFrame): Uint8Array {
    if ((flags & Flag.NAME_ME) === 0n) return framed(encodeStatus('ok'));
    const given = { name: `guest-${this.#challenge.toString(36)}@${name}`, creation: 1 };
    return framed(encodeStatus('named:', given));
  }

  #onMessages(chunk: Uint8Array): void {
    for (const body of this.#messages.push(chunk)) {
      const answer = answerIsAuth(body);
      if (answer !== undefined) this.#onQuestion(answer);
    }
  }
}
