import { once } from 'node:events';
import net from 'node:net';
import { startSshd, type TestSshd } from '../support/sshd.ts';
import { connectTo, until } from './ssh-support.ts';

const NEWKEYS = 21;
/** The request for the service is one encrypted packet of about half of this; a request to authenticate is more. */
const MORE_THAN_ONE_PACKET = 100;

/** Finds in one direction of an SSH connection where its encrypted part begins (RFC 4253, 4.2, 6 and 7.3). */
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

describe('authentication over SSH', () => {
  let sshd: TestSshd;
  let relay: net.Server;
  let encryptedFromClient: number;
  let release: () => void;

  before(async () => {
    sshd = await startSshd();
  });
  after(() => sshd.stop());

  /** Nothing that the server says in secret comes through before `release`. */
  beforeEach(async () => {
    encryptedFromClient = 0;
    relay = net.createServer((client) => {
      const server = net.connect(sshd.port, sshd.host);
      const [there, back] = [new PlainPart(), new PlainPart()];
      const held: Buffer[] = [];
      let isHeld = true;
      release = () => {
        isHeld = false;
        client.write(Buffer.concat(held));
      };
      client.on('data', (chunk: Buffer) => {
        encryptedFromClient += chunk.length - there.push(chunk);
        server.write(chunk);
      });
      server.on('data', (chunk: Buffer) => {
        const plain = isHeld ? back.push(chunk) : chunk.length;
        client.write(chunk.subarray(0, plain));
        held.push(chunk.subarray(plain));
      });
      client.on('error', () => undefined).on('close', () => server.destroy());
      server.on('error', () => undefined).on('close', () => client.destroy());
    });
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
  });
  afterEach(() => relay.close());

  it('is asked for before the server has said that it has that service', async () => {
    const { port } = relay.address() as net.AddressInfo;
    const connecting = connectTo(sshd, { port });
    await until(() => encryptedFromClient > MORE_THAN_ONE_PACKET);
    release();
    (await connecting).close();
  });
});
