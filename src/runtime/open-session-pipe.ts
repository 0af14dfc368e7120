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
import { abortError, attempt } from './attempt.ts';
import type { Clock } from './clock.ts';
import { HandoverPipe } from './handover-pipe.ts';
import { closeWhenSent } from './linger.ts';
import type { BytePipe } from './pipe.ts';

export interface OpenSessionPipeOptions extends HelloAttributes {
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** For hellos and proofs together. */
  readonly helloTimeoutMs: number;
}

export interface OpenDaemonPipeOptions extends OpenSessionPipeOptions {
  /**
   * The ATTACH frame: the session's `beginAttach`. Called once at most, when an agent's hello is
   * there.
   */
  readonly attach: () => Uint8Array;
}

interface Opened {
  /** Not started; not a byte behind `rest` is lost before it is. */
  readonly pipe: BytePipe;
}
export type OpenedDaemonPipe = DaemonHandshakeResult & Opened;
export type OpenedAgentPipe = AgentHandshakeResult & Opened;

/**
 * The daemon's side of a new pipe (docs/protocol.md, 1). Takes the pipe over: when this fails the
 * pipe is closed. Errors: NOT_AN_AGENT, AGENT_MISSING (it ended without a byte), SECRET_REFUSED,
 * VERSION_MISMATCH, UNSUPPORTED, BUSY, PROTOCOL, TIMEOUT, INTERRUPTED, and whatever broke the pipe.
 */
export function openDaemonPipe(
  pipe: BytePipe,
  options: OpenDaemonPipeOptions,
): Promise<OpenedDaemonPipe> {
  const handshake = new DaemonHandshake({ ...options, nonce: randomBytes(NONCE_BYTES) });
  return open(pipe, options, handshake, 'AGENT_MISSING');
}

/** The agent's side. Errors as for the daemon, AGENT_MISSING excepted. */
export function openAgentPipe(
  pipe: BytePipe,
  options: OpenSessionPipeOptions,
): Promise<OpenedAgentPipe> {
  const handshake = new AgentHandshake({ ...options, nonce: randomBytes(NONCE_BYTES) });
  return open(pipe, options, handshake, 'PIPE_LOST');
}

interface AnyHandshake<Result> {
  start(): Uint8Array;
  receive(chunk: Uint8Array): HandshakeStep<Result>;
}

function open<Result extends object>(
  pipe: BytePipe,
  options: OpenSessionPipeOptions,
  handshake: AnyHandshake<Result>,
  silent: 'AGENT_MISSING' | 'PIPE_LOST',
): Promise<Result & Opened> {
  const { clock, signal, helloTimeoutMs: limitMs } = options;
  const { label } = pipe;
  const what = `opening ${label}`;
  const late = () => new EpmuxError('TIMEOUT', `${label} said no hello in ${limitMs} ms`);
  // No attempt begins then that could undo it.
  if (signal?.aborted === true) pipe.close(abortError(what, signal));
  return attempt<Result & Opened>({ what, signal, clock, limitMs, late }, ({ succeed, fail }) => {
    const given = new HandoverPipe(pipe);
    let heard = false;
    let isRefused = false;
    const take = (step: HandshakeStep<Result>): void => {
      if (step.send.length > 0) given.write(step.send);
      if (step.state === 'failed') {
        isRefused = step.send.length > 0;
        fail(step.error);
      } else if (step.state === 'done') {
        given.release();
        succeed({ ...step.result, pipe: given });
      }
    };
    const ended = (): void => fail(heard ? cutShort(label) : wordless(label, silent));
    given.start({
      onBytes(chunk) {
        heard = true;
        try {
          take(handshake.receive(chunk));
        } catch (cause) {
          // Whoever was to give the ATTACH threw, such as a session that has ended meanwhile.
          fail(EpmuxError.from(cause, 'INTERNAL', 'the handshake failed'));
        }
      },
      onWritable() {},
      onEnd: ended,
      onClosed: (error) => (error === undefined ? ended() : fail(error)),
    });
    given.write(handshake.start());
    return (error) => {
      given.release();
      if (isRefused) closeWhenSent(given, clock);
      else given.close(error);
    };
  });
}

function cutShort(label: string): EpmuxError {
  return new EpmuxError('PIPE_LOST', `${label} closed the connection during the handshake`);
}

function wordless(label: string, code: 'AGENT_MISSING' | 'PIPE_LOST'): EpmuxError {
  return new EpmuxError(code, `${label} closed the connection without a word`);
}
