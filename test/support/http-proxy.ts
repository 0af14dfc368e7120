import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface HttpProxyOptions {
  /** `user:password`; without it nobody is asked. */
  readonly credentials?: string;
  /** What it answers instead of connecting. */
  readonly status?: number;
  /** Says nothing at all. */
  readonly silent?: boolean;
}

/** An HTTP proxy (RFC 9110, CONNECT), as much of it as tests need. */
export class HttpProxy {
  /** `host:port` of every request. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #options: HttpProxyOptions;
  readonly #sockets = new Set<Duplex>();

  private constructor(options: HttpProxyOptions) {
    this.#options = options;
    this.#server = createServer((_request, response) => response.writeHead(501).end());
    this.#server.on('connect', (request, socket) => this.#serve(request, socket));
    this.#server.on('connection', (socket: Socket) => this.#keep(socket));
  }

  static async start(options: HttpProxyOptions = {}): Promise<HttpProxy> {
    const proxy = new HttpProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    const { credentials } = this.#options;
    return `http://${credentials === undefined ? '' : `${credentials}@`}${this.host}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve({ url = '', headers }: IncomingMessage, client: Duplex): void {
    this.asked.push(url);
    const { silent, credentials, status } = this.#options;
    if (silent === true) {
      client.on('end', () => client.destroy()).resume();
      return;
    }
    const basic = Buffer.from(credentials ?? '').toString('base64');
    const isKnown =
      credentials === undefined || headers['proxy-authorization'] === `Basic ${basic}`;
    const refusal = isKnown ? status : 407;
    if (refusal !== undefined) {
      client.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`tcp://${url}`);
    const far = connect({ host: hostname, port: Number(port) });
    this.#keep(far);
    far.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(far).pipe(client);
    });
    far.once('close', () => client.destroy());
    client.once('close', () => far.destroy());
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
