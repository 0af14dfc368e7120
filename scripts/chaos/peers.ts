/** Who may stand between the nodes, and what each of them needs. */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { namespacesMissing } from '../../test/support/heroku/namespace.ts';
import { officialCli } from '../../test/support/heroku/official-cli.ts';
import { builtPrograms, EpmuxPeer, type Programs } from './epmux-peer.ts';
import { HerokuPeer, HerokuSite, requireCli } from './heroku-peer.ts';
import type { Peer } from './peer.ts';
import { Run, type RunOptions } from './run.ts';
import { type Measured, scorecard } from './scorecard.ts';
import { compileModule, LoopbackSite, type Site } from './site.ts';
import { KEEPALIVE, SshPeer } from './ssh-peer.ts';

export const PEERS = ['epmux', 'ssh', 'ssh-default', 'autossh', 'heroku'] as const;
export type PeerName = (typeof PEERS)[number];

const BLOB_BYTES = 64 * 1024 * 1024;
const CALLERS = 8;
const CALLERS_BACK = 3;
const LONGEST_CALL_MS = 30_000;

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
  if (peer === 'heroku') {
    return officialCli() === undefined
      ? 'the official heroku CLI is not installed'
      : namespacesMissing();
  }
  const built = join(import.meta.dirname, '..', '..', 'dist', 'agent.mjs');
  if (peer === 'epmux' && !existsSync(built)) return 'dist/ is not built: npm run build';
  return undefined;
}

type Limits = Pick<
  RunOptions,
  'seed' | 'peer' | 'acts' | 'untilMs' | 'untilCuts' | 'signal' | 'say'
>;

export async function measurePeer(name: PeerName, limits: Limits): Promise<Measured> {
  const programs = builtPrograms();
  try {
    return await measureWith(name, programs, {
      ...limits,
      blobBytes: BLOB_BYTES,
      callers: CALLERS,
      callersBack: CALLERS_BACK,
      longestCallMs: LONGEST_CALL_MS,
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
  try {
    if (name === 'heroku') {
      const site = await HerokuSite.start(module.folder);
      return await measureAt(site, new HerokuPeer(site, requireCli()), module.folder, options);
    }
    const site = await LoopbackSite.start(module.folder, options.tickTimeS);
    return await measureAt(site, makePeer(name, site, programs), module.folder, options);
  } finally {
    module.remove();
  }
}

async function measureAt(
  site: Site,
  peer: Peer,
  folder: string,
  options: RunOptions,
): Promise<Measured> {
  try {
    const leading = await peer.up();
    const measured = await Run.measure(site, peer, leading, folder, options);
    if (!scorecard(measured).passed) options.say(`what was logged: ${keepLog(peer)}`);
    return measured;
  } catch (error) {
    options.say(peer.log());
    throw error;
  } finally {
    await peer.stop();
    await site.stop();
  }
}

/** In a file of its own, for whoever wants to know why a promise was not kept. */
function keepLog(peer: Peer): string {
  const file = join(mkdtempSync(join(tmpdir(), 'epmux-chaos-log-')), 'log');
  writeFileSync(file, peer.wholeLog?.() ?? peer.log());
  return file;
}

function makePeer(name: Exclude<PeerName, 'heroku'>, site: Site, programs: Programs): Peer {
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
