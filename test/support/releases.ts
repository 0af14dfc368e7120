/**
 * Other releases of epmux: recorded ones, and the next minor of the protocol, which adds all that a
 * minor may.
 */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Plugin } from 'esbuild';
import { bundleAgent } from '../../scripts/bundle-agent.ts';
import { bundleEpmux } from '../../scripts/bundle-epmux.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RECORDED = join(ROOT, 'test', 'releases');

export interface Release {
  readonly name: string;
  /** What runs `epmux`, and the agent. */
  readonly epmux: readonly string[];
  readonly agent: readonly string[];
}

/** Attribute 0x0777, which nobody knows; it is optional. */
export const LATER_ATTRIBUTE = 0x0777;

/** The versions of the protocol of which there is a recorded release. */
export function recordedVersions(): string[] {
  return readdirSync(RECORDED, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** As it was when its version of the protocol was recorded; on the packages of today. */
export function recordedRelease(version: string): Release {
  const folder = workFolder();
  for (const name of ['agent.mjs', 'epmux.mjs']) {
    const bytes = gunzipSync(readFileSync(join(RECORDED, version, `${name}.gz`)));
    writeFileSync(join(folder, name), bytes);
  }
  return releaseIn(folder, `the recorded ${version}`);
}

/**
 * Today's sources, with another minor, an attribute, flags, bytes behind a directory and frames
 * that no release knows.
 */
export async function nextMinor(): Promise<Release> {
  const folder = workFolder();
  const main = join(ROOT, 'src', 'agent', 'main.ts');
  await bundleAgent(join(folder, 'agent.mjs'), main, [additions()]);
  await bundleEpmux(join(folder, 'epmux.mjs'), [additions()]);
  return releaseIn(folder, 'a later minor');
}

function releaseIn(folder: string, name: string): Release {
  return {
    name,
    epmux: [process.execPath, join(folder, 'epmux.mjs')],
    agent: [process.execPath, join(folder, 'agent.mjs')],
  };
}

function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-release-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** File of src/protocol/, what stands there, what stands there a minor later. */
const ADDITIONS: readonly (readonly [file: string, now: string, later: string])[] = [
  ['constants.ts', 'MINOR_VERSION = 0;', 'MINOR_VERSION = 1;'],
  [
    'hello.ts',
    '  return Buffer.concat(attributes);',
    `  attributes.unshift(attribute(${LATER_ATTRIBUTE}, Buffer.from('of a later minor')));
  return Buffer.concat(attributes);`,
  ],
  ['directory.ts', '| (truncated ? TRUNCATED : 0)', '| (truncated ? TRUNCATED : 0) | 0xfc'],
  [
    'directory.ts',
    'node.cookieKnown ? COOKIE_KNOWN : 0',
    '(node.cookieKnown ? COOKIE_KNOWN : 0) | 0xfe',
  ],
  [
    'directory.ts',
    '  return payload;',
    "  return Buffer.concat([payload, Buffer.from('of a later minor')]);",
  ],
  [
    'encode.ts',
    'export function encodeFrame(frame: Frame): Uint8Array {',
    `/** Optional, the second one reliable too; the first beside frames of the pipe. */
const LATER_FRAMES: Partial<Record<Frame['type'], number>> = {
  ACK: 0x8e, PING: 0x8e, PONG: 0x8e,
  OPEN: 0xce, ACCEPT: 0xce, CREDIT: 0xce, FIN: 0xce, DIRECTORY: 0xce,
};

export function encodeFrame(frame: Frame): Uint8Array {
  const own = encodeKnown(frame);
  const type = LATER_FRAMES[frame.type];
  if (type === undefined) return own;
  const later = new Uint8Array(FRAME_HEADER_BYTES + 5);
  writeHeader(later, 0, type, 5, 77);
  return Buffer.concat([later, own]);
}

function encodeKnown(frame: Frame): Uint8Array {`,
  ],
];

function additions(): Plugin {
  return {
    name: 'later-minor',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]src[\\/]protocol[\\/]\w+\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, 'utf8');
        for (const [file, now, later] of ADDITIONS) {
          if (!path.endsWith(file)) continue;
          if (contents.split(now).length !== 2) throw new Error(`${file} has no one place: ${now}`);
          contents = contents.replace(now, () => later);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}
