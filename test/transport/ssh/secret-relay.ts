import { once } from 'node:events';
import net from 'node:net';

const NEWKEYS = 21;

/**
 * Finds in one direction of an SSH connection where its encrypted part begins (RFC 4253, 4.2, 6 and
 * 7.3).
 */
class PlainPart {
  #held = Buffer.alloc(0);
  #hasVersion = false;
  #isOver = false;

  /** How many bytes of the chunk are plain. */
  push(chunk: Buffer): number {
    if (this.#isOver) return 0;
    this.#held = Buffer.concat([this.#held, chunk]);
    for (;;) {
      const end = this.#hasVersion ? this.#packetEnd() : this.#held.indexOf('\n') + 1;
      if (end === 0) return chunk.length;
      const isLast = this.#hasVersion && this.#held[5] === NEWKEYS;
      this.#hasVersion = true;
      this.#held = this.#held.subarray(end);
      if (!isLast) continue;
      this.#isOver = true;
      return chunk.length - this.#held.length;
    }
  }

  /** 0: the packet is not whole yet. */
  #packetEnd(): number {
    if (this.#held.length < 6) return 0;
    const end = 4 + this.#held.readUInt32BE();
    return this.#held.length < end ? 0 : end;
  }
}

/**
 * Passes SSH connections on, and holds back what the server says in secret until it is told
 * otherwise.
 */
export class SecretRelay {
  /** Of the connection that came last. */
  secretBytesFromClient = 0;
  connections = 0;
  readonly #server: net.Server;
  #release: () => void = () => undefined;
  #cut: () => void = () => undefined;

  static async start(to: { readonly host: string; readonly port: number }): Promise<SecretRelay> {
    const relay = new SecretRelay(to);
    await once(relay.#server.listen(0, '127.0.0.1'), 'listening');
    return relay;
  }

  private constructor(to: { readonly host: string; readonly port: number }) {
    this.#server = net.createServer((client) => this.#serve(client, net.connect(to.port, to.host)));
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Lets through what the server has said, and will say. */
  release(): void {
    this.#release();
  }

  /** Ends the connection without that. */
  cut(): void {
    this.#cut();
  }

  stop(): void {
    this.#cut();
    this.#server.close();
  }

  #serve(client: net.Socket, server: net.Socket): void {
    this.connections += 1;
    this.secretBytesFromClient = 0;
    const [there, back] = [new PlainPart(), new PlainPart()];
    const held: Buffer[] = [];
    let isHeld = true;
    this.#release = () => {
      isHeld = false;
      client.write(Buffer.concat(held.splice(0)));
    };
    this.#cut = () => client.destroy();
    client.on('data', (chunk: Buffer) => {
      this.secretBytesFromClient += chunk.length - there.push(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      const plain = isHeld ? back.push(chunk) : chunk.length;
      client.write(chunk.subarray(0, plain));
      if (plain < chunk.length) held.push(chunk.subarray(plain));
    });
    client.on('error', () => undefined).on('close', () => server.destroy());
    server.on('error', () => undefined).on('close', () => client.destroy());
  }
}
