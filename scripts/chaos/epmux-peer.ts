import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DaemonStatus } from '../../src/daemon/control/api.ts';
import { freePort, randomCookie, within } from '../../test/support/erlang.ts';
import type { Leading, Peer, PeerProcesses } from './peer.ts';
import { withEnvironment } from './processes.ts';
import type { Site } from './site.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RUN_MS = 120_000;
const MAX_LOG_BYTES = 1_000_000;

export interface Programs {
  readonly epmux: readonly string[];
  readonly agent: readonly string[];
  remove(): void;
}

/** dist/ as it is now: a build meanwhile changes nothing under a run. */
export function builtPrograms(): Programs {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-chaos-dist-'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return {
    epmux: [process.execPath, join(folder, 'dist', 'cli', 'main.js')],
    agent: [process.execPath, join(folder, 'dist', 'agent.mjs')],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Agent and daemon as processes of their own, each with its own cookie beside it. */
export class EpmuxPeer implements Peer {
  readonly restarts = 0;
  readonly #site: Site;
  readonly #programs: Programs;
  readonly #home: string;
  readonly #secret = randomBytes(24).toString('hex');
  #agentPort = 0;
  #agent: ChildProcess | undefined;
  #log = '';
  /** Commands under way, which are no part of what stays. */
  readonly #commands = new Set<number>();

  constructor(site: Site, programs: Programs) {
    this.#site = site;
    this.#programs = programs;
    this.#home = mkdtempSync(join(tmpdir(), 'epmux-chaos-home-'));
  }

  async up(): Promise<Leading> {
    const { sshd, path } = this.#site;
    mkdirSync(join(this.#home, '.ssh'), { mode: 0o700 });
    const key = sshd.knownHostsLine.split(' ').slice(1).join(' ');
    writeFileSync(join(this.#home, '.ssh', 'known_hosts'), `[127.0.0.1]:${path.port} ${key}\n`);
    const cookie = randomCookie();
    writeFileSync(join(this.#home, '.erlang.cookie'), cookie, { mode: 0o400 });
    this.#agentPort = await freePort();
    await this.#startAgent();
    await this.#bringUp();
    const { env } = JSON.parse(await this.#run('env', '--json')) as { env: Record<string, string> };
    const node = (await this.#status()).tunnels[0]?.nodes[0];
    if (node === undefined) throw new Error(`no node in the directory\n${this.log()}`);
    const epmdPort = Number(env['ERL_EPMD_PORT']);
    return { env, flags: [], address: node.address, epmdPort, cookie };
  }

  processes(): PeerProcesses {
    const agent = this.#agent?.pid ?? 0;
    const all = withEnvironment(`EPMUX_HOME=${this.#epmuxHome}`);
    const client = all.filter((pid) => !this.#commands.has(pid));
    const daemons = client.map((pid, index) => [`daemon ${index + 1}`, pid] as const);
    return { judged: new Map([['agent', agent], ...daemons]), client, agent: [agent] };
  }

  async restartAgent(): Promise<boolean> {
    const agent = this.#agent;
    if (agent === undefined) return false;
    const exited = once(agent, 'exit');
    agent.kill('SIGKILL');
    await exited;
    await this.#startAgent();
    return true;
  }

  async intervene(): Promise<void> {
    await this.#run('down', '--all');
    await this.#bringUp();
  }

  async resumes(): Promise<number> {
    const { tunnels } = await this.#status();
    return tunnels[0]?.links[0]?.resumes ?? 0;
  }

  log(): string {
    return this.#log.slice(-20_000);
  }

  wholeLog(): string {
    const daemon = readFileSync(join(this.#epmuxHome, 'daemon.log'), 'utf8');
    return `the agent:\n${this.#log}\nthe daemon:\n${daemon.slice(-MAX_LOG_BYTES)}`;
  }

  async stop(): Promise<void> {
    await this.#run('down', '--all');
    if (this.#agent !== undefined && this.#agent.exitCode === null) {
      const exited = once(this.#agent, 'exit');
      this.#agent.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#home, { recursive: true, force: true });
  }

  get #epmuxHome(): string {
    return join(this.#home, 'epmux');
  }

  async #startAgent(): Promise<void> {
    const [file = '', ...args] = this.#programs.agent;
    const agent = spawn(file, [...args, '--port', String(this.#agentPort)], {
      env: { ...this.#site.dyno.env, EPMUX_SECRET: this.#secret },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#agent = agent;
    const listening = new Promise<void>((resolve, reject) => {
      agent.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        this.#log = (this.#log + chunk).slice(-MAX_LOG_BYTES);
        if (chunk.includes('listening')) resolve();
      });
      agent.once('exit', (code) => reject(new Error(`agent: exit ${code}\n${this.log()}`)));
    });
    await within(listening, () => `the agent to listen\n${this.log()}`, RUN_MS);
  }

  async #bringUp(): Promise<void> {
    const { sshd, path } = this.#site;
    const way = ['--ssh', `${sshd.user}@127.0.0.1:${path.port}`, '--identity', sshd.identityFile];
    await this.#run('up', 'chaos', ...way, '--agent-port', String(this.#agentPort));
  }

  async #status(): Promise<DaemonStatus> {
    return JSON.parse(await this.#run('status', '--json')) as DaemonStatus;
  }

  /** What it printed; an error unless it exits with 0. */
  async #run(...args: string[]): Promise<string> {
    const [file = '', ...rest] = this.#programs.epmux;
    const child = spawn(file, [...rest, ...args], {
      cwd: this.#home,
      env: {
        PATH: process.env['PATH'],
        HOME: this.#home,
        LANG: 'C.UTF-8',
        EPMUX_HOME: this.#epmuxHome,
        EPMUX_SECRET: this.#secret,
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pid = child.pid ?? 0;
    this.#commands.add(pid);
    child.once('exit', () => this.#commands.delete(pid));
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk;
      });
    }
    const explain = () => {
      child.kill('SIGKILL');
      return `epmux ${args.join(' ')}\n${said.stdout}${said.stderr}`;
    };
    const [code] = await within(once(child, 'close'), explain, RUN_MS);
    if (code !== 0) throw new Error(`exit ${code}: ${explain()}`);
    return said.stdout;
  }
}
