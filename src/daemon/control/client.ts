import net from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import { systemCode } from '../../runtime/system-error.ts';
import { readLockHolder } from '../lock.ts';
import type { DaemonPaths } from '../paths.ts';
import type { ControlMethod, ControlMethods, Progress } from './api.ts';
import { fromRpcError, LineSplitter } from './wire.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 30_000;

export interface CallOptions {
  /** 30 s unless told; `up` and others that show progress are given more by their caller. */
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Cancels the call in the daemon too; it then fails with INTERRUPTED. */
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly onProgress: ((progress: Progress) => void) | undefined;
  settle(outcome: { readonly result: unknown } | { readonly error: EpmuxError }): void;
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
  readonly #lines = new LineSplitter();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #gone: EpmuxError | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(undefined));
  }

  /** Waits 5 s unless told otherwise. Fails with DAEMON_NOT_RUNNING, PERMISSION_DENIED or TIMEOUT. */
  static connect(
    path: string,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ControlClient> {
    const limit = AbortSignal.timeout(options.timeoutMs ?? CONNECT_TIMEOUT_MS);
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    return new Promise((connected, failed) => {
      const socket = net.connect(path);
      const done = () => {
        signal.removeEventListener('abort', aborted);
        socket.off('error', refused);
      };
      const refused = (error: Error) => {
        done();
        failed(connectError(error, path));
      };
      const aborted = () => {
        done();
        socket.on('error', () => undefined);
        socket.destroy();
        failed(
          limit.aborted
            ? new EpmuxError('TIMEOUT', `nothing accepts on the control socket ${path}`)
            : new EpmuxError('INTERRUPTED', 'interrupted'),
        );
      };
      signal.addEventListener('abort', aborted);
      socket.once('error', refused);
      socket.once('connect', () => {
        done();
        connected(new ControlClient(socket));
      });
      if (signal.aborted) aborted();
    });
  }

  /** Fails with the daemon's own error, TIMEOUT, INTERRUPTED, or DAEMON_NOT_RUNNING when the connection ends first. */
  call<M extends ControlMethod>(
    method: M,
    params: ControlMethods[M][0],
    options: CallOptions = {},
  ): Promise<ControlMethods[M][1]> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (options.signal?.aborted) return Promise.reject(interrupted(method));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((succeeded, failed) => {
      const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
      const cancel = (error: EpmuxError) => {
        this.#send({ method: 'cancel', params: { id } });
        this.#waiting.get(id)?.settle({ error });
      };
      const onAbort = () => cancel(interrupted(method));
      const timer = setTimeout(() => {
        cancel(new EpmuxError('TIMEOUT', `the daemon did not answer ${method} in ${timeoutMs} ms`));
      }, timeoutMs);
      options.signal?.addEventListener('abort', onAbort);
      this.#waiting.set(id, {
        onProgress: options.onProgress,
        settle: (outcome) => {
          clearTimeout(timer);
          options.signal?.removeEventListener('abort', onAbort);
          this.#waiting.delete(id);
          if ('error' in outcome) failed(outcome.error);
          else succeeded(outcome.result as ControlMethods[M][1]);
        },
      });
      this.#send({ id, method, params });
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
      this.#waiting
        .get(message.id)
        ?.settle(
          message.error === undefined
            ? { result: message.result }
            : { error: fromRpcError(message.error) },
        );
    } else if (message.error !== undefined) {
      this.#end(fromRpcError(message.error));
    }
  }

  #end(cause: Error | undefined): void {
    this.#gone ??=
      cause instanceof EpmuxError
        ? cause
        : new EpmuxError('DAEMON_NOT_RUNNING', 'the daemon closed the connection', { cause });
    this.#socket.destroy();
    for (const waiting of [...this.#waiting.values()]) waiting.settle({ error: this.#gone });
  }
}

function interrupted(method: string): EpmuxError {
  return new EpmuxError('INTERRUPTED', `${method} was interrupted`);
}

/**
 * Connects to the daemon of this state folder, wherever it listens: the lock file names its socket when this process has another
 * idea of the runtime folder than the daemon had. Fails as `ControlClient.connect` does.
 */
export async function connectDaemon(
  paths: DaemonPaths,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
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
