import { readFileSync } from 'node:fs';

/** Set by the build where the package's files are not at hand: the agent's bundle. */
declare const EPMUX_BUNDLED_VERSION: string | undefined;

function packageVersion(): string {
  // From src/runtime and from dist/cli/parts alike, package.json is two folders up.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** The version of this package, such as `0.1.0`. package.json is its only source. */
export const VERSION: string =
  typeof EPMUX_BUNDLED_VERSION === 'string' ? EPMUX_BUNDLED_VERSION : packageVersion();

/** How this end calls itself in its hello. */
export const SOFTWARE = `epmux/${VERSION}`;
