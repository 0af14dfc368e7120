/** No relay, and what else a person could use. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { start, stop } from './processes.ts';
import { PEERS, type Stage } from './stage.ts';
import { freePort, server, sshForward, untilListening, type WayKind, way } from './ways.ts';

const SOCAT = 'socat';
const HTTP2_WINDOW_BYTES = 1024 * 1024;

const isThere = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;

/** A program at each end, the near one led to the port of the far one. */
function pair(
  far: (stage: Stage) => readonly string[],
  near: (stage: Stage, far: number) => readonly string[],
): WayKind['start'] {
  return (stage, hop) =>
    way(async (later) => server(later, near(stage, await hop(await server(later, far(stage))))));
}

/** One of the peers' programs, which is told which end it is. */
function bothEnds(program: 'http2' | 'yamux', option: string | number): WayKind['start'] {
  return pair(
    (stage) => stage.node(program, 'far', stage.target, option),
    (stage, far) => stage.node(program, 'near', far, option),
  );
}

const nodeRelays: WayKind = {
  key: 'node',
  title: 'two Node relays',
  idleEach: 5_000,
  start: pair(
    (stage) => stage.node('node-relay', stage.target),
    (stage, far) => stage.node('node-relay', far),
  ),
};

const nodeRelaysOverSsh: WayKind = {
  key: 'node-ssh',
  title: 'two Node relays through ssh -L',
  absent: () => (isThere('ssh') ? undefined : 'no ssh here'),
  start: (stage, hop) =>
    way(async (later) => {
      const far = await server(later, stage.node('node-relay', stage.target));
      const between = await sshForward(later, hop, far, 'aes128-gcm@openssh.com');
      return server(later, stage.node('node-relay', between));
    }),
};

function ssh(key: string, cipher: string): WayKind {
  return {
    key,
    title: `ssh -L, ${cipher.replace(/@.*/, '')}`,
    absent: () => (isThere('ssh') ? undefined : 'no ssh here'),
    start: (stage, hop) => way((later) => sshForward(later, hop, stage.target, cipher)),
  };
}

const socat: WayKind = {
  key: 'socat',
  title: 'socat twice',
  mostIdle: { streams: 100, why: 'two processes a stream' },
  absent: () => (isThere(SOCAT) ? undefined : 'no socat here'),
  start: (stage, hop) =>
    way(async (later) => {
      const relay = async (to: number): Promise<number> => {
        const port = await freePort();
        const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=1024`;
        const child = start([SOCAT, '-b', '65536', listen, `TCP:127.0.0.1:${to},nodelay`]);
        later(() => stop(child));
        await untilListening(port);
        return port;
      };
      return relay(await hop(await relay(stage.target)));
    }),
};

export function http2(windowBytes = HTTP2_WINDOW_BYTES): WayKind {
  return {
    key: 'http2',
    title: `Node's http2, ${windowBytes / 1024 / 1024} MiB windows`,
    start: bothEnds('http2', windowBytes),
  };
}

const yamux: WayKind = {
  key: 'yamux',
  title: 'js-libp2p-yamux',
  absent: () =>
    existsSync(join(PEERS, 'node_modules', '@chainsafe', 'libp2p-yamux'))
      ? undefined
      : 'not installed: run scripts/bench-peers',
  start: bothEnds('yamux', PEERS),
};

const none: WayKind = {
  key: 'none',
  title: 'no relay',
  start: (stage, hop) =>
    way(async () => hop(stage.target)).then((direct) => ({ ...direct, relays: () => [] })),
};

export const PEER_WAYS: readonly WayKind[] = [
  none,
  socat,
  nodeRelays,
  http2(),
  yamux,
  ssh('ssh', 'aes128-gcm@openssh.com'),
  ssh('ssh-chacha', 'chacha20-poly1305@openssh.com'),
  nodeRelaysOverSsh,
];
