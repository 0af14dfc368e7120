import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { bundling } from './bundle-agent.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts');

/**
 * Writes `epmux` as one file, for comparing releases: it finds the packages that it depends on in a
 * node_modules beside it.
 */
export async function bundleEpmux(outfile: string, plugins: readonly Plugin[] = []): Promise<void> {
  await build({ ...bundling(), entryPoints: [MAIN], outfile, plugins: [...plugins] });
}
