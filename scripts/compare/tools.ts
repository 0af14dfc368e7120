/** The two tools, each driven as its users drive it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonStatus } from '../../src/daemon/control/api.ts';
import type { ErlangNode } from '../../test/support/erlang.ts';
import { within } from '../../test/support/erlang-process.ts';
import { OfficialRun, officialCli } from '../../test/support/heroku/official-cli.ts';
import { NODE_PORT, type Stage } from './stage.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const RUN_MS = 90_000;
export const LOCAL_EPMD_PORT = 14_369;

/** What a row needs of either tool. */
export interface Tool {
  readonly stage: Stage;
  /** Resolves once the tool says that it is ready. */
  up(): Promise<void>;
  /** A local node that finds the app's. */
  node(): Promise<ErlangNode>;
  /** What a person has to tell the running local node after the dyno got another host name. */
  learn(node: ErlangNode, hostName: string): Promise<void>;
  /** What it tells of the connection's life beneath; empty where it knows of none. */
  beneath(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * `heroku ps:forward` of the dyno's epmd and of the node's fixed port; ERL_EPMD_PORT and an inetrc
 * lead the node there.
 */
export class Official implements Tool {
  readonly stage: Stage;
  readonly #runs: OfficialRun[] = [];

  constructor(stage: Stage) {
    this.stage = stage;
  }

  forward(app = 'my-app', ports = `${LOCAL_EPMD_PORT}:4369,${NODE_PORT}`): OfficialRun {
    const program = officialCli();
    if (program === undefined) throw new Error('the official heroku CLI is not installed');
    const run = new OfficialRun(program, ['ps:forward', ports, '-a', app], this.stage);
    this.#runs.push(run);
    return run;
  }

  async up(): Promise<void> {
    await this.forward().says(/Use .*CTRL\+C/, RUN_MS);
  }

  node(): Promise<ErlangNode> {
    const inetrc = join(this.stage.laptop.home, 'inetrc-by-hand');
    const { hostName } = this.stage.dyno();
    writeFileSync(inetrc, `{host,{127,0,0,1},["${hostName}"]}.\n{lookup,[file,native]}.\n`);
    return this.stage.node({ ERL_EPMD_PORT: String(LOCAL_EPMD_PORT), ERL_INETRC: inetrc });
  }

  async learn(node: ErlangNode, hostName: string): Promise<void> {
    await node.eval(`inet_db:add_host({127,0,0,1}, ["${hostName}"])`);
  }

  async beneath(): Promise<string> {
    return '';
  }

  async stop(): Promise<void> {
    for (const run of this.#runs) {
      run.child.kill('SIGKILL');
      await run.ended();
    }
  }
}

export interface EpmuxRun {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** `epmux up -a my-app`, as built into dist/. */
export class Epmux implements Tool {
  readonly stage: Stage;

  constructor(stage: Stage) {
    this.stage = stage;
  }

  start(...args: string[]): EpmuxRun {
    const { ERL_INETRC: _, ERL_EPMD_PORT: __, ...env } = this.stage.laptop.env;
    const { home } = this.stage.laptop;
    let output = '';
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: home,
      env: { ...env, ...this.stage.env, EPMUX_HOME: join(home, 'epmux'), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    return { child, output: () => output };
  }

  /** What it printed; an error unless it exits with 0. */
  async run(...args: string[]): Promise<string> {
    const { child, output } = this.start(...args);
    const explain = () => {
      child.kill('SIGKILL');
      return `epmux ${args.join(' ')}\n${output()}`;
    };
    const [code] = await within(once(child, 'close'), explain, RUN_MS);
    if (code !== 0) throw new Error(`epmux ${args.join(' ')}: exit ${code}\n${output()}`);
    return output();
  }

  async up(app = 'my-app'): Promise<void> {
    await this.run('up', '-a', app);
  }

  async node(): Promise<ErlangNode> {
    const { env } = JSON.parse(await this.run('env', '--json')) as { env: Record<string, string> };
    return this.stage.node(env);
  }

  /** Nothing: a running node learns from the hosts file. */
  async learn(): Promise<void> {}

  async beneath(): Promise<string> {
    const { tunnels } = JSON.parse(await this.run('status', '--json')) as DaemonStatus;
    const links = tunnels.flatMap((tunnel) => tunnel.links);
    return `; ${links.map(({ mode, resumes }) => `${mode}, resumes: ${resumes}`).join('; ')}`;
  }

  async stop(): Promise<void> {
    await this.run('down', '--all');
  }
}
