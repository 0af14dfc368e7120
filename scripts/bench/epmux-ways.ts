/** epmux over TCP and over SSH. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FrontOptions } from './front.ts';
import type { Build, Stage } from './stage.ts';
import { type Cleanup, freePort, server, sshd, type WayKind, way } from './ways.ts';

async function startAgent(
  later: (cleanup: Cleanup) => void,
  stage: Stage,
  build: Build,
): Promise<number> {
  // Nobody listens where it asks for nodes: that is what a host without Erlang costs.
  const epmd = await freePort();
  return server(
    later,
    [
      ...[
        process.execPath,
        ...nodeFlags(),
        build.agent,
        '--port',
        '0',
        '--epmd-port',
        String(epmd),
      ],
      ...['--secret-file', stage.secretFile, '--allow', `bench=${stage.target}`],
    ],
    /listening address=\S+:(\d+)/,
  );
}

const front = (build: Build, options: FrontOptions): string[] => [
  process.execPath,
  ...nodeFlags(),
  build.front,
  JSON.stringify(options),
];

/** `EPMUX_BENCH_PROFILE=FOLDER`: CPU profiles of our two ends are written there. `EPMUX_BENCH_NODE`: flags of Node for them. */
function nodeFlags(): string[] {
  const folder = process.env['EPMUX_BENCH_PROFILE'];
  const profile = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const flags = process.env['EPMUX_BENCH_NODE']?.split(' ') ?? [];
  return [...profile, ...flags.filter((flag) => flag !== '')];
}

export function epmuxOverTcp(build: Build, key = 'epmux', title = 'epmux, TCP'): WayKind {
  return {
    key,
    title,
    start: (stage, hop) =>
      way(async (later) => {
        const agentPort = await startAgent(later, stage, build);
        const port = await hop(agentPort);
        const options: FrontOptions = {
          way: { kind: 'connect', host: '127.0.0.1', port },
          agentPort,
          secretFile: stage.secretFile,
          home: stage.folder,
        };
        return server(later, front(build, options));
      }),
  };
}

export function epmuxOverSsh(build: Build, key = 'epmux-ssh', title = 'epmux, SSH'): WayKind {
  return {
    key,
    title,
    start: (stage, hop) =>
      way(async (later) => {
        const agentPort = await startAgent(later, stage, build);
        const { port: sshPort, user, identityFile, fingerprint, folder } = await sshd(later);
        const home = join(folder, 'home');
        mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
        const options: FrontOptions = {
          way: { kind: 'ssh', user, host: '127.0.0.1', port: await hop(sshPort), identityFile },
          agentPort,
          secretFile: stage.secretFile,
          home,
          acceptHostKey: fingerprint,
        };
        return server(later, front(build, options));
      }),
  };
}
