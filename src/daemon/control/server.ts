import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { fileError, systemCode } from '../file-error.ts';
import { type DaemonLimits, STANDARD_LIMITS } from '../limits.ts';
import { socketAnswers } from '../lock.ts';
import type { Check } from '../validate.ts';
import type { ControlMethod, ControlMethods } from './api.ts';
import { ControlConnection } from './connection.ts';

/** How long last answers may take to be read. */
const CLOSE_MS = 1_000;

/** What a running request may use. */
export interface ControlCall {
  /** Fires when the client is gone or has cancelled: undo what is half done. */
  readonly signal: AbortSignal;
  progress(step: string, done?: boolean): void;
}

export type AnyHandler = (params: unknown, call: ControlCall) => unknown;

interface MethodHandler<M extends ControlMethod> {
  readonly params: Check<ControlMethods[M][0]>;
  run(
    params: ControlMethods[M][0],
    call: ControlCall,
  ): Promise<ControlMethods[M][1]> | ControlMethods[M][1];
}

/** One for each method: a missing one does not compile. */
export type ControlHandlers = { readonly [M in ControlMethod]: MethodHandler<M> };

function handlerFinder(handlers: ControlHandlers): (method: string) => AnyHandler | undefined {
  const byName = new Map<string, AnyHandler>();
  const add = <M extends ControlMethod>(name: M) => {
    const handler = handlers[name];
    byName.set(name, (params, call) => handler.run(handler.params(params, 'params'), call));
  };
  for (const name of Object.keys(handlers) as ControlMethod[]) add(name);
  return (method) => byName.get(method);
}

function listen(server: net.Server, path: string): Promise<void> {
  return new Promise((listening, failed) => {
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      listening();
    });
  });
}

/** The daemon's end of the control socket (docs/daemon.md). */
export class ControlServer {
  readonly #server: net.Server;
  readonly #connections = new Set<ControlConnection>();
  readonly #supervisors = new Set<ControlConnection>();
  #onClientsChanged: () => void = () => undefined;

  private constructor(handlers: ControlHandlers, logger: Logger, limits: DaemonLimits) {
    const handlerOf = handlerFinder(handlers);
    this.#server = net.createServer((socket) => {
      if (this.#connections.size >= limits.controlClients) {
        logger.warn('too many control clients; one more was refused', {
          limit: limits.controlClients,
        });
        socket.on('error', () => undefined);
        socket.destroy();
        return;
      }
      const connection: ControlConnection = new ControlConnection(
        socket,
        (method) => {
          if (method === 'supervise') this.#onSupervisor(connection);
          return handlerOf(method);
        },
        logger,
        limits,
      );
      this.#connections.add(connection);
      this.#onClientsChanged();
      socket.once('close', () => {
        this.#connections.delete(connection);
        this.#supervisors.delete(connection);
        this.#onClientsChanged();
      });
    });
  }

  /** The lock has to be held. A socket file that nobody answers on is removed; DAEMON_BUSY when somebody does. */
  static async listen(
    path: string,
    handlers: ControlHandlers,
    logger: Logger,
    limits: DaemonLimits = STANDARD_LIMITS,
  ): Promise<ControlServer> {
    const control = new ControlServer(handlers, logger, limits);
    try {
      await listen(control.#server, path).catch(async (error: unknown) => {
        if (systemCode(error) !== 'EADDRINUSE') throw error;
        if (await socketAnswers(path)) {
          throw new EpmuxError('DAEMON_BUSY', `another daemon answers on ${path}`);
        }
        rmSync(path, { force: true });
        await listen(control.#server, path);
      });
      chmodSync(path, 0o600);
    } catch (error) {
      control.#server.close();
      throw fileError(error, path);
    }
    control.#server.on('error', (error) => {
      logger.error('the control socket failed to accept', { reason: error.message });
    });
    return control;
  }

  /** Those who may ask for something: the supervisor is none. */
  get clients(): number {
    return this.#connections.size - this.#supervisors.size;
  }

  onClientsChanged(listener: () => void): void {
    this.#onClientsChanged = listener;
  }

  /** Takes no more clients and ends those that are there; the socket's file goes with it. Idempotent. */
  close(): Promise<void> {
    const connections = [...this.#connections];
    for (const connection of connections) connection.end();
    const limit = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, CLOSE_MS);
    return new Promise((closed) => {
      this.#server.close(() => {
        clearTimeout(limit);
        closed();
      });
    });
  }

  #onSupervisor(connection: ControlConnection): void {
    if (this.#supervisors.has(connection) || !this.#connections.has(connection)) return;
    this.#supervisors.add(connection);
    this.#onClientsChanged();
  }
}
