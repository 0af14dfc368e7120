/**
 * A laptop as a test has one: a home folder with its own cookie, known_hosts and state, in which
 * the real `epmux` runs as a user starts it.
 *
 *     const laptop = await Laptop.start();
 *     laptop.trust(dyno.knownHostsLine);
 *     const { code, stdout, stderr } = await laptop.epmux(['status', '--json']);
 *     const iex = await laptop.node('me');       // a local Erlang node in the shell's environment of `epmux env`
 *     await laptop.stop();                       // takes every tunnel down and fails when the daemon stays
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonStatus, TunnelStatus } from '../../src/daemon/control/api.ts';
import { EPMUX, type TestDyno } from './dyno.ts';
import {
  ErlangHost,
  type ErlangHostOptions,
  type ErlangNode,
  type ErlangNodeOptions,
  within,
} from './erlang.ts';

const RUN_MS = 60_000;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LaptopOptions extends ErlangHostOptions {
  /** What runs `epmux`, if not the sources. */
  readonly program?: readonly string[];
}

export class Laptop {
  /** The machine's own epmd (as on 4369) and the home folder. */
  readonly erlang: ErlangHost;
  /** Set for every `epmux` from here on. */
  readonly env: Record<string, string>;
  /** What runs `epmux`. */
  readonly program: readonly string[];

  private constructor(erlang: ErlangHost, program: readonly string[]) {
    this.erlang = erlang;
    this.program = program;
    const { ERL_INETRC: _, ...env } = erlang.env;
    this.env = { ...env, EPMUX_HOME: join(erlang.home, 'epmux'), NO_COLOR: '1' };
  }

  static async start({ program = EPMUX, ...options }: LaptopOptions = {}): Promise<Laptop> {
    const laptop = new Laptop(await ErlangHost.start({ hostName: 'laptop', ...options }), program);
    mkdirSync(join(laptop.erlang.home, '.ssh'), { mode: 0o700 });
    return laptop;
  }

  trust(knownHostsLine: string): void {
    appendFileSync(join(this.erlang.home, '.ssh', 'known_hosts'), knownHostsLine, { mode: 0o600 });
  }

  /** The options that lead `up` to this dyno; the secret goes into the environment. */
  wayTo(dyno: TestDyno): string[] {
    this.trust(dyno.knownHostsLine);
    this.env['EPMUX_SECRET'] = dyno.secret;
    return [
      ...['--ssh', dyno.sshTarget, '--identity', dyno.sshd.identityFile],
      ...['--agent-port', String(dyno.agentPort)],
    ];
  }

  async epmux(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
    const [node = '', ...rest] = this.program;
    const child = spawn(node, [...rest, ...args], {
      cwd: this.erlang.home,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const run = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      run.stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      run.stderr += chunk;
    });
    const explain = () => {
      child.kill('SIGKILL');
      return `epmux ${args.join(' ')}\n${run.stdout}\n${run.stderr}`;
    };
    const [code] = await within(once(child, 'close'), explain, RUN_MS);
    return { code, ...run };
  }

  /** As `epmux`, and an error unless it exits with 0. */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.epmux(args);
    if (code !== 0) throw new Error(`epmux ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`);
    return stdout;
  }

  async status(): Promise<DaemonStatus> {
    return JSON.parse(await this.run('status', '--json'));
  }

  /** The one of that name, else the first; an error when there is none. */
  async tunnel(name?: string): Promise<TunnelStatus> {
    const { tunnels } = await this.status();
    const found = name === undefined ? tunnels[0] : tunnels.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no tunnel ${name ?? ''} is up`);
    return found;
  }

  /** As `tunnel`, once it fits; a test's own limit bounds the wait. */
  async untilTunnel(fits: (now: TunnelStatus) => boolean, name?: string): Promise<TunnelStatus> {
    for (;;) {
      const now = await this.tunnel(name);
      if (fits(now)) return now;
    }
  }

  /** What `eval "$(epmux env)"` adds to a shell. */
  async shellEnv(): Promise<Record<string, string>> {
    const exports = await this.run('env', '--shell', 'sh');
    const pairs = [...exports.matchAll(/^export (\w+)='?([^'\n]*)'?;?$/gm)];
    return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]));
  }

  async node(name: string, options: ErlangNodeOptions = {}): Promise<ErlangNode> {
    const env = { ...(await this.shellEnv()), ...options.env };
    return this.erlang.node(name, { ...options, env });
  }

  async stop(): Promise<void> {
    await this.epmux(['down', '--all']);
    await this.erlang.stop();
  }
}
