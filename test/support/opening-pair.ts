/**
 * Two sessions in simulated time whose every pipe begins with hellos, proofs and ATTACH, as a real
 * one does.
 */
import { WireCode } from '../../src/protocol/constants.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { AttachFrame } from '../../src/protocol/frames.ts';
import {
  AgentHandshake,
  DaemonHandshake,
  type HandshakeStep,
} from '../../src/protocol/handshake.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { PeerInfo } from '../../src/session/types.ts';
import { Endpoint } from './session-endpoint.ts';
import type { Cut } from './session-pair.ts';
import { SimulatedPipe } from './simulated-pipe.ts';
import { Timeline } from './timeline.ts';

const PATH = { latencyMs: 5, bytesPerMs: Number.POSITIVE_INFINITY, roomBytes: 1 << 20 };
const RECONNECT_MS = 100;
const SECRET = Buffer.alloc(32, 9);
const SESSION_ID = new Uint8Array(16).fill(7);

interface AnyHandshake<Result> {
  start(): Uint8Array;
  receive(chunk: Uint8Array): HandshakeStep<Result>;
}

/**
 * What one end does with a new pipe: the handshake takes its bytes until it is done, then the
 * session.
 */
class Opening<Result extends { readonly rest: Uint8Array }> {
  readonly #end: Endpoint;
  readonly #handshake: AnyHandshake<Result>;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #onDone: (result: Result) => boolean;
  readonly #onFailed: () => void;
  #isDone = false;

  constructor(parts: {
    end: Endpoint;
    handshake: AnyHandshake<Result>;
    send: (bytes: Uint8Array) => void;
    onDone: (result: Result) => boolean;
    onFailed: () => void;
  }) {
    this.#end = parts.end;
    this.#handshake = parts.handshake;
    this.#send = parts.send;
    this.#onDone = parts.onDone;
    this.#onFailed = parts.onFailed;
  }

  start(): void {
    this.#send(this.#handshake.start());
  }

  receive(chunk: Uint8Array): void {
    if (this.#isDone) {
      this.#end.receive(chunk);
      return;
    }
    const step = this.#handshake.receive(chunk);
    if (step.send.length > 0) this.#send(step.send);
    if (step.state === 'failed') this.#onFailed();
    if (step.state !== 'done') return;
    this.#isDone = true;
    if (!this.#onDone(step.result)) return;
    if (step.result.rest.length > 0) this.#end.receive(step.result.rest);
    else this.#end.pump();
  }

  onRoom(): void {
    if (this.#isDone) this.#end.onRoom();
  }
}

export interface OpeningPairOptions {
  /** One a pipe; undefined, and beyond the list: it lives. */
  readonly cuts?: readonly (Cut | undefined)[];
  /** From this pipe on (the first is 1) the agent is another one, that knows no session. */
  readonly newAgentFromPipe?: number;
}

export class OpeningPair {
  readonly timeline = new Timeline();
  readonly daemon: Endpoint;
  readonly agent: Endpoint;
  pipe: SimulatedPipe | undefined;
  pipes = 0;
  readonly #options: OpeningPairOptions;

  constructor(options: OpeningPairOptions = {}) {
    this.#options = options;
    const end = (role: 'daemon' | 'agent', accepts: boolean) =>
      new Endpoint(
        role,
        new Session(role, SESSION_DEFAULTS, SESSION_ID, this.now),
        this.timeline,
        () => this.pipe?.kill(),
        { accepts },
      );
    this.daemon = end('daemon', true);
    this.agent = end('agent', false);
  }

  get now(): number {
    return this.timeline.now;
  }

  connect(): void {
    if (this.daemon.isOver) return;
    const cut = this.#options.cuts?.[this.pipes++];
    const pipe = new SimulatedPipe(this.timeline, PATH, {
      toAgent: this.#receiver(() => toAgent),
      toDaemon: this.#receiver(() => toDaemon),
      onDead: () => this.#onDead(pipe),
    });
    if (cut !== undefined) pipe.cutAfter(cut.direction, cut.afterBytes);
    this.pipe = pipe;
    const toAgent = this.#agentOpening(pipe);
    const toDaemon = this.#daemonOpening(pipe);
    toDaemon.start();
    toAgent.start();
  }

  /** One step of simulated time; false: nothing is due until `limit`. */
  step(limit: number): boolean {
    return this.timeline.step(limit, [this.daemon, this.agent]);
  }

  run(ms: number): void {
    this.timeline.runUntil(this.now + ms, [this.daemon, this.agent]);
  }

  #receiver(of: () => { receive(chunk: Uint8Array): void; onRoom(): void }) {
    return {
      receive: (chunk: Uint8Array) => of().receive(chunk),
      onRoom: () => of().onRoom(),
    };
  }

  #daemonOpening(pipe: SimulatedPipe): Opening<{ peer: PeerInfo; rest: Uint8Array }> {
    const { session } = this.daemon;
    return new Opening({
      end: this.daemon,
      handshake: new DaemonHandshake({
        secret: SECRET,
        nonce: this.#nonce(1),
        software: 'test',
        attach: () => session.beginAttach(this.now),
      }),
      send: (bytes) => pipe.send('toAgent', bytes),
      onFailed: () => pipe.kill(),
      onDone: ({ peer }) => {
        session.peerKnown(peer);
        this.daemon.usePipe(pipe, 'toAgent');
        return true;
      },
    });
  }

  #agentOpening(
    pipe: SimulatedPipe,
  ): Opening<{ peer: PeerInfo; attach: AttachFrame; rest: Uint8Array }> {
    const send = (bytes: Uint8Array) => pipe.send('toDaemon', bytes);
    const isNew = this.pipes >= (this.#options.newAgentFromPipe ?? Number.POSITIVE_INFINITY);
    return new Opening({
      end: this.agent,
      handshake: new AgentHandshake({
        secret: SECRET,
        nonce: this.#nonce(2),
        software: 'test',
        bootId: new Uint8Array(16).fill(isNew ? 2 : 1),
      }),
      send,
      onFailed: () => pipe.kill(),
      onDone: ({ peer, attach }) => {
        if (isNew && attach.kind === 'resume') {
          const text = 'no such session here';
          send(encodeFrame({ type: 'REFUSE', code: WireCode.SESSION_UNKNOWN, text }));
          return false;
        }
        const outcome = this.agent.session.acceptAttach(attach.received, peer, this.now);
        if (outcome !== 'taken') return false;
        this.agent.usePipe(pipe, 'toDaemon');
        return true;
      },
    });
  }

  #nonce(side: number): Uint8Array {
    return new Uint8Array(32).fill(this.pipes * 4 + side);
  }

  #onDead(pipe: SimulatedPipe): void {
    if (this.pipe !== pipe) return;
    this.pipe = undefined;
    for (const end of [this.daemon, this.agent]) end.losePipe();
    this.timeline.at(this.now + RECONNECT_MS, () => {
      if (this.pipe === undefined) this.connect();
    });
  }
}
