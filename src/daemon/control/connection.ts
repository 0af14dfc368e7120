import type { Socket } from 'node:net';
import { EpmuxError, messageOf, stackOf } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { DaemonLimits } from '../limits.ts';
import type { Progress } from './api.ts';
import type { AnyHandler } from './handlers.ts';
import { LineSplitter, RpcCode, type RpcError, toRpcError } from './wire.ts';

/** A client that does not read its answers is closed above this. */
const MAX_UNREAD_BYTES = 4 * 1_048_576;

type RequestId = string | number;

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
}

function isRequestId(id: unknown): id is RequestId {
  return typeof id === 'string' || typeof id === 'number';
}

/** One client of the control socket. Whatever it sends can harm nobody but itself. */
export class ControlConnection {
  readonly #socket: Socket;
  readonly #handlerOf: (method: string) => AnyHandler | undefined;
  readonly #logger: Logger;
  readonly #mostCalls: number;
  readonly #lines = new LineSplitter();
  readonly #calls = new Map<RequestId, AbortController>();
  #closing = false;

  constructor(
    socket: Socket,
    handlerOf: (method: string) => AnyHandler | undefined,
    logger: Logger,
    limits: Pick<DaemonLimits, 'controlCalls' | 'controlIdleMs'>,
  ) {
    this.#socket = socket;
    this.#handlerOf = handlerOf;
    this.#logger = logger;
    this.#mostCalls = limits.controlCalls;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#onGone());
    // A client that asks nothing and waits for nothing makes room for others.
    socket.setTimeout(limits.controlIdleMs, () => {
      if (this.#calls.size === 0) socket.destroy();
    });
  }

  /** Ends the connection once what was answered is out. */
  end(): void {
    this.#closing = true;
    this.#socket.end();
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onGone(): void {
    this.#closing = true;
    for (const call of this.#calls.values()) call.abort();
    this.#calls.clear();
  }

  #onBytes(chunk: Buffer): void {
    if (this.#closing) return;
    try {
      for (const line of this.#lines.push(chunk)) {
        if (!this.#closing && line.trim() !== '') this.#onLine(line);
      }
    } catch (error) {
      this.#refuse(RpcCode.invalidRequest, messageOf(error));
    }
  }

  #onLine(line: string): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      this.#refuse(RpcCode.parse, 'this is no JSON');
      return;
    }
    if (typeof message !== 'object' || message === null || typeof message.method !== 'string') {
      this.#refuse(RpcCode.invalidRequest, 'this is no JSON-RPC 2.0 request');
    } else if (isRequestId(message.id)) {
      void this.#call(message.id, message.method, message.params ?? {});
    } else if (message.method === 'cancel') {
      const { id } = (message.params ?? {}) as { id?: unknown };
      if (isRequestId(id)) this.#calls.get(id)?.abort();
    }
  }

  /** For a client whose words make no sense: the reason, then the end. */
  #refuse(code: number, message: string): void {
    this.#logger.warn('garbage on the control socket; that client is closed', { reason: message });
    this.#send({ id: null, error: { code, message } });
    this.end();
  }

  async #call(id: RequestId, method: string, params: unknown): Promise<void> {
    const handler = this.#handlerOf(method);
    if (handler === undefined) {
      this.#fail(id, { code: RpcCode.methodNotFound, message: `there is no method ${method}` });
      return;
    }
    if (this.#calls.size >= this.#mostCalls || this.#calls.has(id)) {
      const busy = new EpmuxError(
        'BUSY',
        `more than ${this.#mostCalls} calls at once, or an id in use`,
      );
      this.#fail(id, toRpcError(busy));
      return;
    }
    const call = new AbortController();
    this.#calls.set(id, call);
    try {
      const progress = (step: string, done = false) => {
        const note: Progress & { id: RequestId } = { id, step, done };
        this.#send({ method: 'progress', params: note });
      };
      this.#send({ id, result: await handler(params, { signal: call.signal, progress }) });
    } catch (error) {
      this.#fail(id, toRpcError(this.#asEpmuxError(method, error)));
    } finally {
      this.#calls.delete(id);
    }
  }

  #asEpmuxError(method: string, error: unknown): EpmuxError {
    if (!(error instanceof EpmuxError)) {
      this.#logger.error('a control call failed', { method, stack: stackOf(error) });
    }
    return EpmuxError.from(error, 'INTERNAL', `the daemon failed in ${method}`);
  }

  #fail(id: RequestId, error: RpcError): void {
    this.#send({ id, error });
  }

  #send(message: object): void {
    if (!this.#socket.writable) return;
    this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
  }
}
