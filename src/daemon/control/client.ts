import net from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import { attempt, type Settle } from '../../runtime/attempt.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { readLockHolder } from '../lock.ts';
import type { DaemonPaths } from '../paths.ts';
import type { ControlMethod, ControlMethods, ErrorStatus, Progress } from './api.ts';
import { fromRpcError, LineSplitter } from './wire.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 30_000;

export interface CallOptions {
  /** 30 s unless told; `up` and others that show progress are given more by their caller. */
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Cancels the call in the daemon too; it then fails with the abort's error. */
  readonly signal?: AbortSignal;
}

export interface ConnectOptions {
  /** 5 s unless told otherwise. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Of the calls too; the system's unless told otherwise. */
  readonly clock?: Clock;
}

interface Waiting {
  readonly onProgress: ((progress: Progress) => void) | undefined;
  readonly outcome: Settle<unknown>;
}

interface Incoming {
  readonly id?: number | null;
  readonly method?: string;
  readonly params?: Progress & { readonly id: number };
  readonly result?: unknown;
  readonly error?: unknown;
}

function connectError(error: unknown, path: string): EpmuxError {
  const code = systemCode(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new EpmuxError('PERMISSION_DENIED', `the control socket ${path} is not yours`, {
      cause: error,
    });
  }
  return new EpmuxError('DAEMON_NOT_RUNNING', 'the epmux daemon is not running', { cause: error });
}

/** A command's end of the control socket. Many calls may run at once. */
export class ControlClient {
  readonly #socket: net.Socket;
  readonly #clock: Clock;
  readonly #lines = new LineSplitter();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #gone: EpmuxError | undefined;

  private constructor(socket: net.Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(undefined));
  }

  /** Fails with DAEMON_NOT_RUNNING, PERMISSION_DENIED, TIMEOUT, or the abort's error. */
  static connect(path: string, options: ConnectOptions = {}): Promise<ControlClient> {
    const { timeoutMs: limitMs = CONNECT_TIMEOUT_MS, signal, clock = systemClock } = options;
    const late = () => new EpmuxError('TIMEOUT', `nothing accepts on the control socket ${path}`);
    const limits = { what: 'connecting to the daemon', signal, clock, limitMs, late };
    return attempt<ControlClient>(limits, ({ succeed, fail }) => {
      const socket = net.connect(path);
      const refused = (error: Error) => fail(connectError(error, path));
      socket.on('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        succeed(new ControlClient(socket, clock));
      });
      return () => socket.destroy();
    });
  }

  /**
   * Fails with the daemon's own error, TIMEOUT, the abort's error, or DAEMON_NOT_RUNNING when the
   * connection ends.
   */
  call<M extends ControlMethod>(
    method: M,
    params: ControlMethods[M][0],
    options: CallOptions = {},
  ): Promise<ControlMethods[M][1]> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const { timeoutMs: limitMs = CALL_TIMEOUT_MS, signal, onProgress } = options;
    const late = () =>
      new EpmuxError('TIMEOUT', `the daemon did not answer ${method} in ${limitMs} ms`);
    const limits = { what: `calling ${method}`, signal, clock: this.#clock, limitMs, late };
    return attempt<ControlMethods[M][1]>(limits, (outcome) => {
      this.#lastId += 1;
      const id = this.#lastId;
      this.#waiting.set(id, { onProgress, outcome });
      this.#send({ id, method, params });
      return () => {
        // Whoever has answered, or is gone, has nothing to cancel.
        if (this.#waiting.delete(id)) this.#send({ method: 'cancel', params: { id } });
      };
    });
  }

  /** Idempotent. Calls that still wait fail. */
  close(): void {
    this.#end(undefined);
  }

  #send(message: object): void {
    if (this.#socket.writable) {
      this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    }
  }

  #onBytes(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) this.#onMessage(JSON.parse(line) as Incoming);
    } catch (cause) {
      this.#end(
        new EpmuxError('CONTROL_PROTOCOL', 'the daemon answered with what is no JSON-RPC', {
          cause,
        }),
      );
    }
  }

  #onMessage(message: Incoming): void {
    if (message.method === 'progress' && message.params !== undefined) {
      const { id, step, done } = message.params;
      this.#waiting.get(id)?.onProgress?.({ step, done });
    } else if (typeof message.id === 'number') {
      this.#onAnswer(message.id, message);
    } else if (message.error !== undefined) {
      this.#end(fromRpcError(message.error));
    }
  }

  #onAnswer(id: number, { result, error }: Incoming): void {
    const outcome = this.#waiting.get(id)?.outcome;
    this.#waiting.delete(id);
    if (error === undefined) outcome?.succeed(result);
    else outcome?.fail(fromRpcError(error));
  }

  #end(cause: Error | undefined): void {
    this.#gone ??=
      cause instanceof EpmuxError
        ? cause
        : new EpmuxError('DAEMON_NOT_RUNNING', 'the daemon closed the connection', { cause });
    this.#socket.destroy();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { outcome } of waiting) outcome.fail(this.#gone);
  }
}

/**
 * Connects to the daemon of this state folder, wherever it listens: the lock file names its socket
 * when this process has another idea of the runtime folder than the daemon had. Fails as
 * `ControlClient.connect` does.
 */
export async function connectDaemon(
  paths: DaemonPaths,
  options: ConnectOptions = {},
): Promise<ControlClient> {
  try {
    return await ControlClient.connect(paths.controlSocket, options);
  } catch (error) {
    const elsewhere = readLockHolder(paths.lockFile)?.controlSocket;
    const notRunning = EpmuxError.is(error, 'DAEMON_NOT_RUNNING');
    if (!notRunning || elsewhere === undefined || elsewhere === paths.controlSocket) throw error;
    return ControlClient.connect(elsewhere, options);
  }
}

/** What a status tells of an error, as one again. */
export function fromErrorStatus({ code, message, hint }: ErrorStatus): EpmuxError {
  return fromRpcError({ message, data: { code, hint } });
}
