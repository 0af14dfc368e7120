/** epmux over TCP and over SSH. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FrontOptions } from './front.ts';
import type { Build, Stage } from './stage.ts';
import { type Cleanup, freePort, type Hop, server, sshd, type WayKind, way } from './ways.ts';

type Later = (cleanup: Cleanup) => void;

async function startAgent(later: Later, stage: Stage, build: Build): Promise<number> {
  // Nobody listens where it asks for nodes: that is what a host without Erlang costs.
  const epmd = await freePort();
  const ports = ['--port', '0', '--epmd-port', String(epmd)];
  const rest = ['--secret-file', stage.secretFile, '--allow', `bench=${stage.target}`];
  const argv = [process.execPath, ...nodeFlags(), build.agent, ...ports, ...rest];
  return server(later, argv, /listening address=\S+:(\d+)/);
}

const front = (build: Build, options: FrontOptions): string[] => [
  process.execPath,
  ...nodeFlags(),
  build.front,
  JSON.stringify(options),
];

/**
 * `EPMUX_BENCH_PROFILE=FOLDER`: CPU profiles of our two ends are written there. `EPMUX_BENCH_NODE`:
 * flags of Node for them.
 */
function nodeFlags(): string[] {
  const folder = process.env['EPMUX_BENCH_PROFILE'];
  const profile = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const flags = process.env['EPMUX_BENCH_NODE']?.split(' ') ?? [];
  return [...profile, ...flags.filter((flag) => flag !== '')];
}

/** How the daemon's end comes to the agent's port. */
type Lead = (
  later: Later,
  stage: Stage,
  hop: Hop,
  agentPort: number,
) => Promise<Pick<FrontOptions, 'way' | 'home' | 'acceptHostKey'>>;

function epmux(build: Build, key: string, title: string, lead: Lead): WayKind {
  return {
    key,
    title,
    start: (stage, hop) =>
      way(async (later) => {
        const agentPort = await startAgent(later, stage, build);
        const { secretFile } = stage;
        const options = { agentPort, secretFile, ...(await lead(later, stage, hop, agentPort)) };
        return server(later, front(build, options));
      }),
  };
}

export function epmuxOverTcp(build: Build, key = 'epmux', title = 'epmux, TCP'): WayKind {
  return epmux(build, key, title, async (_later, stage, hop, agentPort) => ({
    way: { kind: 'connect', host: '127.0.0.1', port: await hop(agentPort) },
    home: stage.folder,
  }));
}

export function epmuxOverSsh(build: Build, key = 'epmux-ssh', title = 'epmux, SSH'): WayKind {
  return epmux(build, key, title, async (later, _stage, hop) => {
    const { port: sshPort, user, identityFile, fingerprint, folder } = await sshd(later);
    const home = join(folder, 'home');
    mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
    return {
      way: { kind: 'ssh', user, host: '127.0.0.1', port: await hop(sshPort), identityFile },
      home,
      acceptHostKey: fingerprint,
    };
  });
}
