import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface SocksServerOptions {
  /** `user:password`; without it nobody is asked. */
  readonly credentials?: string;
  /** Says nothing at all. */
  readonly silent?: boolean;
  /** Holds its last answer back and sends it in one packet with the first bytes of the far end. */
  readonly glued?: boolean;
}

/** A SOCKS 5 proxy (RFC 1928, 1929) for CONNECT, as much of it as tests need. */
export class SocksServer {
  readonly #server: Server;
  readonly #options: SocksServerOptions;
  readonly #sockets = new Set<Socket>();
  /** `host:port` of every request, as the client wrote it. */
  readonly asked: string[] = [];
  /** How many clients there ever were. */
  connected = 0;

  private constructor(options: SocksServerOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
  }

  static async start(options: SocksServerOptions = {}): Promise<SocksServer> {
    const proxy = new SocksServer(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    const { credentials } = this.#options;
    return `socks5://${credentials === undefined ? '' : `${credentials}@`}127.0.0.1:${port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(client: Socket): Promise<void> {
    this.#keep(client);
    this.connected += 1;
    const giveUp = (): void => void client.destroy();
    client.once('end', giveUp);
    if (this.#options.silent === true) {
      client.resume();
      return;
    }
    const take = taker(client);
    const [, methods = 0] = await take(2);
    await take(methods);
    if (!(await this.#authenticated(client, take))) return;
    const [, , , type = 0] = await take(4);
    const host =
      type === 1
        ? [...(await take(4))].join('.')
        : (await take((await take(1))[0] ?? 0)).toString();
    const port = (await take(2)).readUInt16BE(0);
    client.off('end', giveUp);
    this.asked.push(`${host}:${port}`);
    client.pause();
    const far = connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.#keep(far);
    const refuse = (): void => void client.end(answer(5));
    far.once('error', refuse);
    client.once('close', () => far.destroy());
    far.once('connect', () => {
      far.off('error', refuse);
      void this.#join(client, far);
    });
  }

  async #authenticated(client: Socket, take: Taker): Promise<boolean> {
    const { credentials } = this.#options;
    client.write(Buffer.of(5, credentials === undefined ? 0 : 2));
    if (credentials === undefined) return true;
    await take(1);
    const user = (await take((await take(1))[0] ?? 0)).toString();
    const password = (await take((await take(1))[0] ?? 0)).toString();
    const right = `${user}:${password}` === credentials;
    client.write(Buffer.of(1, right ? 0 : 1));
    if (!right) client.end();
    return right;
  }

  async #join(client: Socket, far: Socket): Promise<void> {
    const [first] =
      this.#options.glued === true ? ((await once(far, 'data')) as [Buffer]) : [Buffer.alloc(0)];
    client.write(Buffer.concat([answer(0), first]));
    client.once('error', () => far.resetAndDestroy());
    far.once('error', () => client.resetAndDestroy());
    far.once('close', () => client.destroy());
    client.pipe(far);
    far.pipe(client);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

type Taker = (bytes: number) => Promise<Buffer>;

/** Exactly so many bytes of the socket at a time; never settles when the socket ends before. */
function taker(socket: Socket): Taker {
  return async (bytes) => {
    if (bytes === 0) return Buffer.alloc(0);
    for (;;) {
      const chunk = socket.read(bytes) as Buffer | null;
      if (chunk !== null) return chunk;
      await once(socket, 'readable');
    }
  };
}

function answer(code: number): Buffer {
  return Buffer.of(5, code, 0, 1, 127, 0, 0, 1, 0, 0);
}
