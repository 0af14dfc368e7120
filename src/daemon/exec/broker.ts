import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { fileError } from '../../runtime/system-error.ts';
import type { RemoteProcess } from '../../transport/transport.ts';
import { bridgeProcess } from './bridge.ts';

/** Whoever asked for a process connects at once, or is gone. */
const CONNECT_MS = 5_000;

export interface ExecBrokerOptions {
  /** 0700, with room in a socket's path for a name as long as `control.sock`. */
  readonly folder: string;
  readonly clock: Clock;
  /** Processes at once. */
  readonly most: number;
}

/**
 * Hands processes in the dynos over to commands, each on a one-off socket that only this user can
 * reach.
 */
export class ExecBroker {
  readonly #options: ExecBrokerOptions;
  readonly #ends = new Set<() => void>();

  constructor(options: ExecBrokerOptions) {
    this.#options = options;
  }

  /**
   * Starts the process and gives the path of its socket, good for one connection. Throws BUSY, what
   * `start` throws, or what the file system has against it.
   */
  async open(start: () => Promise<RemoteProcess>): Promise<string> {
    const { most } = this.#options;
    if (this.#ends.size >= most) {
      throw new EpmuxError('BUSY', `${most} commands run through the daemon already`);
    }
    // Holds the place while the process starts.
    const place = (): void => {};
    this.#ends.add(place);
    try {
      const remote = await start();
      try {
        return await this.#listen(remote);
      } catch (error) {
        remote.close();
        throw error;
      }
    } finally {
      this.#ends.delete(place);
    }
  }

  /** Ends every process. Idempotent. */
  close(): void {
    for (const end of [...this.#ends]) end();
  }

  async #listen(remote: RemoteProcess): Promise<string> {
    const { folder, clock } = this.#options;
    const path = join(folder, `exec-${randomBytes(3).toString('hex')}`);
    const server = createServer({ allowHalfOpen: false });
    await listening(server, path);
    const stopListening = (): void => {
      cancel();
      server.close();
      rmSync(path, { force: true });
    };
    const end = (): void => {
      this.#ends.delete(end);
      stopListening();
      remote.close();
    };
    const cancel = clock.wakeAt(clock.now() + CONNECT_MS, end);
    this.#ends.add(end);
    server.once('connection', (socket) => {
      stopListening();
      bridgeProcess(socket, remote, () => this.#ends.delete(end));
    });
    server.on('error', end);
    return path;
  }
}

async function listening(server: Server, path: string): Promise<void> {
  try {
    await once(server.listen(path), 'listening');
    chmodSync(path, 0o600);
  } catch (error) {
    server.close();
    throw fileError(error, path);
  }
}
