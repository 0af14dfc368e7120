/** Who may stand between the nodes, and what each of them needs. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { builtPrograms, EpmuxPeer, type Programs } from './epmux-peer.ts';
import type { Peer } from './peer.ts';
import { Run, type RunOptions } from './run.ts';
import type { Measured } from './scorecard.ts';
import { compileModule, LoopbackSite, type Site } from './site.ts';
import { KEEPALIVE, SshPeer } from './ssh-peer.ts';

export const PEERS = ['epmux', 'ssh', 'ssh-default', 'autossh'] as const;
export type PeerName = (typeof PEERS)[number];

const BLOB_BYTES = 64 * 1024 * 1024;
const CALLERS = 8;
const CALLERS_BACK = 3;

export function isPeer(name: string): name is PeerName {
  return (PEERS as readonly string[]).includes(name);
}

function onPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** Why a run with this peer can't be had here; undefined where it can. */
export function missingFor(peer: PeerName): string | undefined {
  if (!existsSync('/proc/self/fd'))
    return 'memory and descriptors are read from /proc, as Linux has it';
  const programs = ['erl', 'erlc', 'epmd', 'ssh', ...(peer === 'autossh' ? ['autossh'] : [])];
  const absent = programs.find((program) => !onPath(program));
  if (absent !== undefined) return `${absent} is not installed`;
  const built = join(import.meta.dirname, '..', '..', 'dist', 'agent.mjs');
  if (peer === 'epmux' && !existsSync(built)) return 'dist/ is not built: npm run build';
  return undefined;
}

type Limits = Pick<RunOptions, 'seed' | 'peer' | 'acts' | 'untilMs' | 'untilCuts' | 'say'>;

export async function measurePeer(name: PeerName, limits: Limits): Promise<Measured> {
  const programs = builtPrograms();
  try {
    return await measureWith(name, programs, {
      ...limits,
      blobBytes: BLOB_BYTES,
      callers: CALLERS,
      callersBack: CALLERS_BACK,
    });
  } finally {
    programs.remove();
  }
}

/** With other programs than those of dist/, or another load. */
export async function measureWith(
  name: PeerName,
  programs: Programs,
  options: RunOptions,
): Promise<Measured> {
  const module = compileModule();
  const site = await LoopbackSite.start(module.folder, options.tickTimeS);
  const peer = makePeer(name, site, programs);
  try {
    const leading = await peer.up();
    return await Run.measure(site, peer, leading, module.folder, options);
  } catch (error) {
    options.say(peer.log());
    throw error;
  } finally {
    await peer.stop();
    await site.stop();
    module.remove();
  }
}

function makePeer(name: PeerName, site: Site, programs: Programs): Peer {
  switch (name) {
    case 'epmux':
      return new EpmuxPeer(site, programs);
    case 'ssh':
      return new SshPeer(site, { command: ['ssh'], settings: KEEPALIVE });
    case 'ssh-default':
      return new SshPeer(site, { command: ['ssh'], settings: [] });
    case 'autossh':
      return new SshPeer(site, {
        command: ['autossh', '-M', '0'],
        settings: KEEPALIVE,
        env: { AUTOSSH_GATETIME: '0' },
      });
  }
}
