/**
 * A dyno as a test has one: a real epmd, real nodes, a real sshd with a saboteur in front of it,
 * and the agent as a process of its own.
 *
 *     const dyno = await TestDyno.start();
 *     const app = await dyno.erlang.node('app');
 *     …epmux up --ssh dyno.sshTarget --identity dyno.sshd.identityFile --agent-port dyno.agentPort, with EPMUX_SECRET=dyno.secret
 *     dyno.path.blackhole(); dyno.path.heal(); dyno.path.reset();
 *     await dyno.restartAgent();
 *     await dyno.stop();
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ErlangHost, type ErlangHostOptions, freePort, within } from './erlang.ts';
import { Saboteur } from './saboteur.ts';
import { startSshd, type TestSshd } from './sshd.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** What runs the source's own `epmux` in a child process, whatever its working folder. */
export const EPMUX: readonly string[] = [
  process.execPath,
  '--import',
  import.meta.resolve('tsx'),
  MAIN,
];

export interface TestDynoOptions extends ErlangHostOptions {
  /** False: none is started. */
  readonly agent?: boolean;
  /** What runs the agent, if not the sources. */
  readonly agentProgram?: readonly string[];
}

export class TestDyno {
  readonly erlang: ErlangHost;
  readonly sshd: TestSshd;
  /** Between the laptop and the sshd. */
  readonly path: Saboteur;
  readonly agentPort: number;
  readonly secret: string = randomBytes(24).toString('hex');
  readonly #agentProgram: readonly string[];
  #agent: ChildProcess | undefined;
  #agentLog = '';

  private constructor(
    erlang: ErlangHost,
    sshd: TestSshd,
    path: Saboteur,
    agentPort: number,
    agentProgram: readonly string[],
  ) {
    this.#agentProgram = agentProgram;
    this.erlang = erlang;
    this.sshd = sshd;
    this.path = path;
    this.agentPort = agentPort;
  }

  static async start(options: TestDynoOptions = {}): Promise<TestDyno> {
    const { agent = true, agentProgram = [...EPMUX, 'agent'], ...host } = options;
    const erlang = await ErlangHost.start(host);
    const sshd = await startSshd();
    const path = await Saboteur.start({ host: sshd.host, port: sshd.port });
    const dyno = new TestDyno(erlang, sshd, path, await freePort(), agentProgram);
    if (agent) await dyno.startAgent();
    return dyno;
  }

  get sshTarget(): string {
    return `${this.sshd.user}@127.0.0.1:${this.path.port}`;
  }

  /** A known_hosts line for the address that the laptop dials. */
  get knownHostsLine(): string {
    const key = this.sshd.knownHostsLine.split(' ').slice(1).join(' ');
    return `[127.0.0.1]:${this.path.port} ${key}\n`;
  }

  /** Until the agent has logged this; what it does may be seen elsewhere before. */
  async agentSays(pattern: RegExp): Promise<void> {
    const said = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!pattern.test(this.#agentLog)) return;
        this.#agent?.stderr?.off('data', look);
        resolve();
      };
      this.#agent?.stderr?.on('data', look);
      look();
    });
    await within(said, () => `the agent to say ${pattern}\n${this.#agentLog}`);
  }

  /** Resolves when the agent's port answers. */
  async startAgent(): Promise<void> {
    const [node = '', ...args] = this.#agentProgram;
    const options = ['--port', String(this.agentPort), '--log-level', 'info'];
    const agent = spawn(node, [...args, ...options], {
      env: { ...this.erlang.env, EPMUX_SECRET: this.secret },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#agent = agent;
    const listening = new Promise<void>((resolve, reject) => {
      agent.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        this.#agentLog += chunk;
        if (chunk.includes('listening')) resolve();
      });
      agent.once('exit', (code) => reject(new Error(`agent: exit ${code}\n${this.#agentLog}`)));
    });
    await within(listening, () => `the agent to listen\n${this.#agentLog}`);
  }

  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const exited = once(agent, 'exit');
    agent.kill(signal);
    await exited;
  }

  async stop(): Promise<void> {
    await this.killAgent();
    await this.path.stop();
    await this.sshd.stop();
    await this.erlang.stop();
  }
}
