import { once } from 'node:events';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import net from 'node:net';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { fileError, systemCode } from '../../runtime/system-error.ts';
import type { DaemonLimits } from '../limits.ts';
import { socketAnswers } from '../lock.ts';
import { ControlConnection } from './connection.ts';
import { type ControlHandlers, handlerFinder } from './handlers.ts';

/** How long last answers may take to be read. */
const CLOSE_MS = 1_000;

/** DAEMON_BUSY when somebody answers on this unix socket. */
export async function assertUnanswered(path: string): Promise<void> {
  if (await socketAnswers(path)) {
    throw new EpmuxError('DAEMON_BUSY', `another daemon answers on ${path}`);
  }
}

/** The daemon's end of the control socket (docs/daemon.md). */
export class ControlServer {
  readonly #server: net.Server;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #connections = new Set<ControlConnection>();
  readonly #supervisors = new Set<ControlConnection>();
  #onClientsChanged: () => void = () => undefined;
  #isOpening = false;
  #isClosed = false;
  /** Why it is not listened on again. */
  #trouble: string | undefined;

  private constructor(
    path: string,
    handlers: ControlHandlers,
    logger: Logger,
    limits: DaemonLimits,
  ) {
    this.#path = path;
    this.#logger = logger;
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

  /**
   * The lock has to be held. A socket file that nobody answers on is removed; DAEMON_BUSY when
   * somebody does.
   */
  static async listen(
    path: string,
    handlers: ControlHandlers,
    logger: Logger,
    limits: DaemonLimits,
  ): Promise<ControlServer> {
    const control = new ControlServer(path, handlers, logger, limits);
    await control.#open();
    control.#server.on('error', (error) => {
      if (control.#isOpening) return;
      logger.error('the control socket failed to accept', { reason: error.message });
    });
    return control;
  }

  /**
   * Listens again where the socket's file is gone, as a logout removes it with its folder;
   * connections stay. `makeFolder` throws while there can be none; what is in the way is logged
   * once.
   */
  async look(makeFolder: () => void): Promise<void> {
    if (this.#isOpening || this.#isClosed) return;
    if (this.#server.listening && existsSync(this.#path)) return;
    this.#isOpening = true;
    try {
      makeFolder();
      // Closing removes the file: first, or it would be the new one.
      this.#server.close();
      await this.#open();
      this.#trouble = undefined;
      this.#logger.warn('the control socket was gone and is back', { path: this.#path });
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#onTrouble(error.message);
    } finally {
      this.#isOpening = false;
      if (this.#isClosed) this.#server.close();
    }
  }

  /** Those who may ask for something: the supervisor is none. */
  get clients(): number {
    return this.#connections.size - this.#supervisors.size;
  }

  onClientsChanged(listener: () => void): void {
    this.#onClientsChanged = listener;
  }

  /**
   * Takes no more clients and ends those that are there; the socket's file goes with it.
   * Idempotent.
   */
  close(): Promise<void> {
    this.#isClosed = true;
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

  async #open(): Promise<void> {
    const path = this.#path;
    try {
      await once(this.#server.listen(path), 'listening').catch(async (error: unknown) => {
        if (systemCode(error) !== 'EADDRINUSE') throw error;
        await assertUnanswered(path);
        rmSync(path, { force: true });
        await once(this.#server.listen(path), 'listening');
      });
      chmodSync(path, 0o600);
    } catch (error) {
      this.#server.close();
      throw fileError(error, path);
    }
  }

  #onTrouble(reason: string): void {
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#logger.error('the control socket is gone: no command reaches the daemon', { reason });
  }

  #onSupervisor(connection: ControlConnection): void {
    if (this.#supervisors.has(connection) || !this.#connections.has(connection)) return;
    this.#supervisors.add(connection);
    this.#onClientsChanged();
  }
}
