import { randomBytes } from 'node:crypto';
import { NONCE_BYTES } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type {
  AgentHandshakeResult,
  DaemonHandshakeResult,
  HandshakeStep,
} from '../protocol/handshake.ts';
import { AgentHandshake, DaemonHandshake } from '../protocol/handshake.ts';
import type { HelloAttributes } from '../protocol/hello.ts';
import type { Cancel, Clock } from './clock.ts';
import { faultOf } from './fault.ts';
import { HandoverPipe } from './handover-pipe.ts';
import { closeWhenSent } from './linger.ts';
import type { BytePipe } from './pipe.ts';

/** How long hellos and proofs may take together. */
const HELLO_TIMEOUT_MS = 10_000;

export interface OpenSessionPipeOptions extends HelloAttributes {
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly helloTimeoutMs?: number | undefined;
}

export interface OpenDaemonPipeOptions extends OpenSessionPipeOptions {
  /** The ATTACH frame: the session's `beginAttach`. Called once at most, when an agent's hello is there. */
  readonly attach: () => Uint8Array;
}

interface Opened {
  /** Not started; not a byte behind `rest` is lost before it is. */
  readonly pipe: BytePipe;
}
export type OpenedDaemonPipe = DaemonHandshakeResult & Opened;
export type OpenedAgentPipe = AgentHandshakeResult & Opened;

/**
 * The daemon's side of a new pipe (docs/protocol.md, 1). Takes the pipe over: when this fails the pipe is closed. Errors:
 * NOT_AN_AGENT, AGENT_MISSING (it ended without a byte), SECRET_REFUSED, VERSION_MISMATCH, UNSUPPORTED, BUSY, PROTOCOL, TIMEOUT,
 * INTERRUPTED, and whatever broke the pipe.
 */
export function openDaemonPipe(
  pipe: BytePipe,
  options: OpenDaemonPipeOptions,
): Promise<OpenedDaemonPipe> {
  const handshake = new DaemonHandshake({ ...options, nonce: randomBytes(NONCE_BYTES) });
  return new Opening(pipe, options, handshake, 'AGENT_MISSING').promise;
}

/** The agent's side. Errors as for the daemon, AGENT_MISSING excepted. */
export function openAgentPipe(
  pipe: BytePipe,
  options: OpenSessionPipeOptions,
): Promise<OpenedAgentPipe> {
  const handshake = new AgentHandshake({ ...options, nonce: randomBytes(NONCE_BYTES) });
  return new Opening(pipe, options, handshake, 'PIPE_LOST').promise;
}

interface AnyHandshake<Result> {
  start(): Uint8Array;
  receive(chunk: Uint8Array): HandshakeStep<Result>;
}

class Opening<Result extends object> {
  readonly promise: Promise<Result & Opened>;
  readonly #pipe: HandoverPipe;
  readonly #clock: Clock;
  readonly #handshake: AnyHandshake<Result>;
  readonly #silent: 'AGENT_MISSING' | 'PIPE_LOST';
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #cancelTimer: Cancel;
  #resolve!: (opened: Result & Opened) => void;
  #reject!: (error: EpmuxError) => void;
  #heard = false;
  #over = false;

  constructor(
    pipe: BytePipe,
    options: OpenSessionPipeOptions,
    handshake: AnyHandshake<Result>,
    silent: 'AGENT_MISSING' | 'PIPE_LOST',
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#pipe = new HandoverPipe(pipe);
    this.#clock = options.clock;
    this.#handshake = handshake;
    this.#silent = silent;
    this.#signal = options.signal;
    this.#onAbort = () => this.#fail(interrupted(pipe, options.signal));
    const timeoutMs = options.helloTimeoutMs ?? HELLO_TIMEOUT_MS;
    this.#cancelTimer = options.clock.wakeAt(options.clock.now() + timeoutMs, () =>
      this.#fail(new EpmuxError('TIMEOUT', `${pipe.label} said no hello in ${timeoutMs} ms`)),
    );
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.#onAbort();
    else this.#begin();
  }

  #begin(): void {
    this.#pipe.start({
      onBytes: (chunk) => this.#receive(chunk),
      onWritable: () => {},
      onEnd: () => this.#fail(this.#ended()),
      onClosed: (error) => this.#fail(error ?? this.#ended()),
    });
    this.#pipe.write(this.#handshake.start());
  }

  #receive(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#heard = true;
    const step = this.#step(chunk);
    if (step === undefined) return;
    if (step.send.length > 0) this.#pipe.write(step.send);
    if (step.state === 'failed') {
      this.#fail(step.error, step.send.length > 0);
    } else if (step.state === 'done') {
      this.#settle();
      this.#pipe.release();
      this.#resolve({ ...step.result, pipe: this.#pipe });
    }
  }

  /** Undefined: whoever was to give the ATTACH threw, such as a session that has ended meanwhile. */
  #step(chunk: Uint8Array): HandshakeStep<Result> | undefined {
    try {
      return this.#handshake.receive(chunk);
    } catch (cause) {
      this.#fail(cause instanceof EpmuxError ? cause : faultOf('the handshake', cause));
      return undefined;
    }
  }

  #fail(error: EpmuxError, refused = false): void {
    if (this.#over) return;
    this.#settle();
    this.#pipe.release();
    if (refused) closeWhenSent(this.#pipe, this.#clock);
    else this.#pipe.close(error);
    this.#reject(error);
  }

  #settle(): void {
    this.#over = true;
    this.#cancelTimer();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #ended(): EpmuxError {
    const label = this.#pipe.label;
    if (this.#heard) {
      return new EpmuxError('PIPE_LOST', `${label} closed the connection during the handshake`);
    }
    return new EpmuxError(this.#silent, `${label} closed the connection without a word`);
  }
}

function interrupted(pipe: BytePipe, signal: AbortSignal | undefined): EpmuxError {
  const reason: unknown = signal?.reason;
  if (reason instanceof EpmuxError) return reason;
  return new EpmuxError('INTERRUPTED', `opening ${pipe.label} was given up`, { cause: reason });
}
