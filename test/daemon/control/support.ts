import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import type { ControlMethods } from '../../../src/daemon/control/api.ts';
import { ControlClient } from '../../../src/daemon/control/client.ts';
import type { ControlCall, ControlHandlers } from '../../../src/daemon/control/handlers.ts';
import { ControlServer } from '../../../src/daemon/control/server.ts';
import { object, optional, text } from '../../../src/daemon/validate.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';

export const UP = { spec: {}, secrets: {} } as unknown as ControlMethods['up'][0];

export function never(): never {
  throw new Error('not asked for here');
}

/** Handlers that answer `hello`, do what the test says on `up`, and fail on `down`. */
export function handlers(up: (call: ControlCall) => Promise<unknown>): ControlHandlers {
  const anything = <T>(value: unknown) => value as T;
  return {
    supervise: { params: anything, run: () => ({ digest: '', restarts: 0 }) },
    hello: { params: object<Record<string, never>>({}), run: () => ({ version: '1', pid: 7 }) },
    up: { params: anything, run: async (_, call) => (await up(call)) as never },
    down: {
      params: anything,
      run: () => {
        throw new EpmuxError('TUNNEL_NOT_FOUND', 'none', { hint: 'look', details: { a: 'b' } });
      },
    },
    status: {
      params: object<{ readonly name?: string }>({ name: optional(text(5)) }),
      run: () => {
        throw new TypeError('a bug');
      },
    },
    leading: { params: anything, run: never },
    spec: { params: anything, run: never },
    resolve: { params: anything, run: never },
    ping: { params: anything, run: never },
    exec: { params: anything, run: never },
  };
}

/** A client that speaks as it likes. */
export class Raw {
  readonly socket: net.Socket;
  #heard = '';

  constructor(path: string) {
    this.socket = net.connect(path);
    this.socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#heard += chunk;
    });
    this.socket.on('error', () => undefined);
  }

  async untilClosed(): Promise<{ error: { code: number; message: string } }[]> {
    if (!this.socket.closed) await once(this.socket, 'close');
    return this.#heard
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}

interface Answering {
  onUp: (call: ControlCall) => Promise<unknown>;
}

/** A control socket in a folder, and those who are connected to it. */
export class ControlRig {
  readonly path: string;
  readonly logger: RecordingLogger;
  readonly server: ControlServer;
  readonly clients: ControlClient[] = [];
  readonly #heard: Answering;

  private constructor(
    path: string,
    logger: RecordingLogger,
    server: ControlServer,
    heard: Answering,
  ) {
    this.path = path;
    this.logger = logger;
    this.server = server;
    this.#heard = heard;
  }

  static async start(folder: string): Promise<ControlRig> {
    const path = join(folder, 'control.sock');
    const logger = new RecordingLogger();
    const heard: Answering = { onUp: async () => ({}) };
    const server = await ControlServer.listen(
      path,
      handlers((call) => heard.onUp(call)),
      logger,
      DEFAULT_LIMITS,
    );
    return new ControlRig(path, logger, server, heard);
  }

  /** What `up` does from here on. */
  set onUp(up: (call: ControlCall) => Promise<unknown>) {
    this.#heard.onUp = up;
  }

  async connect(): Promise<ControlClient> {
    const client = await ControlClient.connect(this.path);
    this.clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.server.close();
  }
}
