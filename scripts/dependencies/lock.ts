import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LICENCES_OF_OLD } from './known.ts';

const ROOT = join(import.meta.dirname, '..', '..');

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** Empty when it states none. */
  readonly licence: string;
  readonly integrity: string | undefined;
  readonly hasInstallScript: boolean;
  /** Installed with epmux, not for work on it alone. */
  readonly production: boolean;
  /** epmux is installed all the same where it can't be. */
  readonly optional: boolean;
}

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));

export function readManifest(): Manifest {
  return read('package.json') as Manifest;
}

/** Every package of the lock file, by name and version. */
export function lockedPackages(): LockedPackage[] {
  const { packages } = read('package-lock.json') as { packages: Record<string, LockEntry> };
  const needed = reached(packages, true);
  const required = reached(packages, false);
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const version = entry.version ?? '';
      return {
        name,
        version,
        licence: entry.license ?? LICENCES_OF_OLD[`${name}@${version}`] ?? '',
        integrity: entry.integrity,
        hasInstallScript: entry.hasInstallScript === true,
        production: needed.has(path),
        optional: needed.has(path) && !required.has(path),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The paths that the root's dependencies lead to. npm's own marks count optional peers (typescript
 * of valibot) in.
 */
function reached(packages: Record<string, LockEntry>, withOptional: boolean): Set<string> {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const entry = packages[path];
    if (entry === undefined || seen.has(path)) return;
    seen.add(path);
    const { peerDependenciesMeta: meta = {} } = entry;
    const peers = Object.keys(entry.peerDependencies ?? {}).filter((name) => !meta[name]?.optional);
    const optional = Object.keys(entry.optionalDependencies ?? {});
    const names = Object.keys(entry.dependencies ?? {}).filter((name) => !optional.includes(name));
    for (const name of [...names, ...peers, ...(withOptional ? optional : [])]) {
      visit(resolve(packages, path, name));
    }
  };
  visit('');
  return seen;
}

/** As Node looks for it: inside of the package, then further out. */
function resolve(packages: Record<string, LockEntry>, from: string, name: string): string {
  for (let folder = from; folder !== ''; folder = outside(folder)) {
    const path = `${folder}/node_modules/${name}`;
    if (path in packages) return path;
  }
  return `node_modules/${name}`;
}

function outside(folder: string): string {
  return folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
}
