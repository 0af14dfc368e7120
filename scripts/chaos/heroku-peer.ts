/**
 * `heroku ps:forward`, the official CLI, against the stand-in for Heroku of the tests; started
 * again whenever it has ended.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErlangHost, ErlangNode } from '../../test/support/erlang.ts';
import type { StandInDyno } from '../../test/support/heroku/dyno.ts';
import { OfficialRun, officialCli, TunnelHosts } from '../../test/support/heroku/official-cli.ts';
import { HerokuStandIn } from '../../test/support/heroku/stand-in.ts';
import type { Saboteur } from '../../test/support/saboteur.ts';
import type { TestSshd } from '../../test/support/sshd.ts';
import type { Leading, Peer, PeerProcesses } from './peer.ts';
import { nodeFlags, type Site } from './site.ts';

const APP = 'my-app';
const PORTS = { app: 9_100, victim: 9_101 };
const EPMD_PORT = 14_369;
const READY_MS = 90_000;
const RESTART_MS = 1_000;

/** One dyno in a network of its own. */
export class HerokuSite implements Site {
  readonly ports = PORTS;
  readonly heroku: HerokuStandIn;
  readonly path: Saboteur;
  readonly sshd: TestSshd;
  readonly dyno: ErlangHost;
  readonly app: ErlangNode;
  victim: ErlangNode;
  readonly #hosts: TunnelHosts;
  readonly #folder: string;

  private constructor(
    parts: { heroku: HerokuStandIn; hosts: TunnelHosts; dyno: StandInDyno; folder: string },
    nodes: { app: ErlangNode; victim: ErlangNode },
  ) {
    this.heroku = parts.heroku;
    this.path = parts.dyno.path;
    this.sshd = parts.dyno.sshd;
    this.dyno = parts.dyno.erlang;
    this.app = nodes.app;
    this.victim = nodes.victim;
    this.#hosts = parts.hosts;
    this.#folder = parts.folder;
  }

  static async start(folder: string): Promise<HerokuSite> {
    const heroku = await HerokuStandIn.start();
    const hosts = new TunnelHosts();
    heroku.tunnelHost = hosts.hostOf;
    const dyno = await heroku.addApp(APP).scaleUp('web.1');
    // Listens before anybody is told of it.
    hosts.hostOf(dyno.path.port);
    const app = await dyno.app('app', { flags: nodeFlags(folder, PORTS.app) });
    const victim = await dyno.app('victim', { flags: nodeFlags(folder, PORTS.victim) });
    return new HerokuSite({ heroku, hosts, dyno, folder }, { app, victim });
  }

  async restartVictim(): Promise<void> {
    this.victim.signal('SIGKILL');
    await this.victim.exited;
    this.victim = await this.dyno.node('victim', { flags: nodeFlags(this.#folder, PORTS.victim) });
  }

  async stop(): Promise<void> {
    this.#hosts.stop();
    await this.heroku.stop();
  }
}

export class HerokuPeer implements Peer {
  restarts = 0;
  readonly #site: HerokuSite;
  readonly #program: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'epmux-chaos-heroku-'));
  #run: OfficialRun | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(site: HerokuSite, program: string) {
    this.#site = site;
    this.#program = program;
  }

  async up(): Promise<Leading> {
    const { dyno } = this.#site;
    const inetrc = join(this.#folder, 'inetrc');
    const lead = `{host,{127,0,0,1},["${dyno.hostName}","laptop"]}.\n`;
    writeFileSync(inetrc, `${lead}{lookup,[file,native]}.\n`);
    await this.#start().says(/Use .*CTRL\+C/, READY_MS);
    return {
      env: { ERL_EPMD_PORT: String(EPMD_PORT), ERL_INETRC: inetrc },
      flags: ['-dist_listen', 'false'],
      address: '127.0.0.1',
      epmdPort: EPMD_PORT,
      cookie: dyno.cookie,
    };
  }

  processes(): PeerProcesses {
    const pid = this.#run?.child.pid;
    return { judged: new Map(), client: pid === undefined ? [] : [pid], agent: [] };
  }

  async restartAgent(): Promise<boolean> {
    return false;
  }

  async intervene(): Promise<void> {
    this.#run?.child.kill('SIGKILL');
  }

  async resumes(): Promise<undefined> {
    return undefined;
  }

  log(): string {
    return this.#run?.output.slice(-5_000) ?? '';
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#run?.child.kill('SIGKILL');
    await this.#run?.ended();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(): OfficialRun {
    const ports = `${EPMD_PORT}:4369,${PORTS.app},${PORTS.victim}`;
    const run = new OfficialRun(this.#program, ['ps:forward', ports, '-a', APP], this.#site.heroku);
    this.#run = run;
    run.child.once('exit', () => this.#onExit(run));
    return run;
  }

  #onExit(run: OfficialRun): void {
    if (this.#stopped || this.#run !== run) return;
    this.#run = undefined;
    this.restarts += 1;
    void run.ended();
    this.#timer = setTimeout(() => this.#start(), RESTART_MS);
  }
}

export function requireCli(): string {
  const program = officialCli();
  if (program === undefined) throw new Error('the official heroku CLI is not installed');
  return program;
}
