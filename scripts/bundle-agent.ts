import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

/**
 * How a program of ours becomes one file. Names stay: a stack trace from a dyno has to be readable.
 */
export function bundling(): BuildOptions {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return {
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    packages: 'external',
    minifySyntax: true,
    minifyWhitespace: true,
    define: { EPMUX_BUNDLED_VERSION: JSON.stringify(version) },
    logLevel: 'warning',
  };
}

/**
 * Writes the agent as one self-running file. Fails when it would import anything but Node's own
 * modules: a dyno has nothing else. `main` is the file that has `runAgent`.
 */
export async function bundleAgent(
  outfile: string,
  main = join(ROOT, 'src', 'agent', 'main.ts'),
  plugins: readonly Plugin[] = [],
): Promise<void> {
  const { metafile, outputFiles } = await build({
    ...bundling(),
    stdin: {
      contents:
        `import { runAgent } from ${JSON.stringify(main)};` +
        'process.exit(await runAgent(process.argv.slice(2), process.env));',
      resolveDir: ROOT,
      sourcefile: 'agent.ts',
      loader: 'ts',
    },
    outfile,
    banner: { js: '#!/usr/bin/env node' },
    plugins: [...plugins],
    metafile: true,
    write: false,
  });
  const foreign = Object.values(metafile.outputs)
    .flatMap((output) => output.imports)
    .map((imported) => imported.path)
    .filter((path) => !path.startsWith('node:'));
  if (foreign.length > 0) {
    throw new Error(`the agent's bundle imports ${foreign.join(', ')}: it may import node: only`);
  }
  for (const { contents } of outputFiles) writeFileSync(outfile, contents);
}
