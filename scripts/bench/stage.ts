/**
 * What a run needs besides the ways: the programs as they ship, a service at the far end, and who
 * makes the load.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleAgent } from '../bundle-agent.ts';
import { Generator, startServer, stopAll } from './processes.ts';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
/** Where scripts/bench-peers installs what is too heavy for a dependency. */
export const PEERS = join(ROOT, '.test-cache', 'bench');

const PROGRAMS = {
  target: join('load', 'target.ts'),
  generator: join('load', 'generator.ts'),
  'node-relay': join('peers', 'node-relay.ts'),
  http2: join('peers', 'http2.ts'),
  yamux: join('peers', 'yamux.ts'),
  path: 'path.ts',
} as const;
type Program = keyof typeof PROGRAMS;

/** Our two ends, built from the sources of one tree. */
export interface Build {
  readonly front: string;
  readonly agent: string;
}

export class Stage {
  readonly folder: string;
  readonly secretFile: string;
  /** The port of the service at the far end. */
  target = 0;
  /** Makes the bulk. */
  #bulk: Generator | undefined;
  /** Sends the small messages, so that they do not wait in the process that makes the bulk. */
  #prober: Generator | undefined;

  private constructor() {
    // Inside of node_modules, so that what is built finds the packages (ssh2 with its addon) as an
    // installed epmux does.
    this.folder = mkdtempSync(join(ROOT, 'node_modules', '.epmux-bench-'));
    this.secretFile = join(this.folder, 'secret');
    writeFileSync(this.secretFile, 'the bench keeps no secrets\n', { mode: 0o600 });
  }

  static async start(): Promise<Stage> {
    const stage = new Stage();
    try {
      await compile(
        Object.fromEntries(
          Object.entries(PROGRAMS).map(([name, file]) => [name, join(HERE, file)]),
        ),
        stage.folder,
      );
      const { port } = await startServer(stage.node('target'));
      stage.target = port;
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  get bulk(): Generator {
    this.#bulk ??= new Generator(this.#file('generator'));
    return this.#bulk;
  }

  get prober(): Generator {
    this.#prober ??= new Generator(this.#file('generator'));
    return this.#prober;
  }

  /** The command of one of the bench's programs. */
  node(program: Program, ...args: readonly (string | number)[]): string[] {
    return [process.execPath, this.#file(program), ...args.map(String)];
  }

  /** `tree`: another checkout, to compare with; this one unless given. */
  async build(tree = ROOT): Promise<Build> {
    const folder = mkdtempSync(join(this.folder, 'build-'));
    // The front is this checkout's harness on the other's sources.
    const source = join(tree, 'scripts', 'bench', 'front.ts');
    if (!existsSync(source)) throw new Error(`${tree} has no scripts/bench/front.ts`);
    await compile({ front: source }, folder);
    const agent = join(folder, 'agent.mjs');
    await bundleAgent(agent, join(tree, 'src', 'agent', 'main.ts'));
    return { front: join(folder, 'front.mjs'), agent };
  }

  async stop(): Promise<void> {
    await stopAll();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #file(program: string): string {
    return join(this.folder, `${program}.mjs`);
  }
}

async function compile(entryPoints: Record<string, string>, outdir: string): Promise<void> {
  await build({
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    packages: 'external',
    logLevel: 'error',
  });
}
