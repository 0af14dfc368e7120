import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Namespace } from '../../test/support/heroku/namespace.ts';

const PORT = 5_000;
/** Room for a packet of the path within one of the link beneath. */
const LINK_MTU = 1_600;
const POLL_MS = 20;

interface End {
  readonly namespace: Namespace;
  readonly relay: Socket;
  readonly tunnel: ChildProcess;
  /** Of the link beneath. */
  readonly address: string;
}

/**
 * Two networks, and between them a path that delays each packet by half of the round trip: TCP's
 * own acknowledgements take their time too, other than on a relay that passes bytes on. Needs root,
 * `ip` and socat.
 */
export class PacketPath {
  static readonly LAPTOP = '10.214.0.1';
  static readonly DYNO = '10.214.0.2';
  readonly laptop: Namespace;
  readonly dyno: Namespace;
  readonly #ends: readonly End[];

  private constructor(laptop: End, dyno: End) {
    this.laptop = laptop.namespace;
    this.dyno = dyno.namespace;
    this.#ends = [laptop, dyno];
  }

  static async start(roundTripMs: number): Promise<PacketPath> {
    const laptop = await startEnd('laptop', 1, PacketPath.LAPTOP);
    const dyno = await startEnd('dyno', 2, PacketPath.DYNO).catch(async (error: unknown) => {
      await stopEnd(laptop);
      throw error;
    });
    const join = (from: End, to: End) =>
      from.relay.on('message', (packet) => {
        setTimeout(() => to.relay.send(packet, PORT, to.address), roundTripMs / 2);
      });
    join(laptop, dyno);
    join(dyno, laptop);
    return new PacketPath(laptop, dyno);
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) await stopEnd(end);
  }
}

async function stopEnd({ namespace, relay, tunnel }: End): Promise<void> {
  tunnel.kill('SIGKILL');
  relay.close();
  await namespace.stop();
}

/** A namespace with a network device whose packets come to this process as datagrams. */
async function startEnd(name: string, network: number, address: string): Promise<End> {
  const namespace = await Namespace.start(name);
  const [outside, inside] = [1, 2].map((host) => `10.213.${network}.${host}`);
  const link = `epmux-${name}`;
  const peer = `${link}-in`;
  run('ip', 'link', 'add', link, 'mtu', `${LINK_MTU}`, 'type', 'veth', 'peer', 'name', peer);
  run('ip', 'link', 'set', peer, 'mtu', `${LINK_MTU}`, 'netns', namespace.prefix[2] ?? '');
  run('ip', 'addr', 'add', `${outside}/30`, 'dev', link);
  run('ip', 'link', 'set', link, 'up');
  run(...namespace.prefix, 'ip', 'addr', 'add', `${inside}/30`, 'dev', peer);
  run(...namespace.prefix, 'ip', 'link', 'set', peer, 'up');
  const relay = createSocket('udp4').bind(PORT, outside);
  await once(relay, 'listening');
  const device = `TUN:${address}/24,iff-no-pi,iff-up`;
  const datagrams = `UDP4:${outside}:${PORT},bind=${inside}:${PORT}`;
  const [program = '', ...args] = [...namespace.prefix, 'socat', device, datagrams];
  const tunnel = spawn(program, args, { stdio: 'inherit' });
  while (!isThere(namespace, address)) {
    if (tunnel.exitCode !== null) throw new Error('socat has ended');
    await delay(POLL_MS);
  }
  return { namespace, relay, tunnel, address: inside ?? '' };
}

function isThere(namespace: Namespace, address: string): boolean {
  const [program = '', ...args] = [...namespace.prefix, 'ip', '-o', 'addr', 'show', 'to', address];
  return spawnSync(program, args, { encoding: 'utf8' }).stdout.includes(address);
}

function run(program = '', ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}
