import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Leading, Peer, PeerProcesses } from './peer.ts';
import { withEnvironment } from './processes.ts';
import type { Site } from './site.ts';

/** The far end's own ports are taken on 127.0.0.1 of this machine. */
const LOCAL = '127.0.0.2';
const READY_MS = 30_000;
/** A person who sees it end and starts it again. */
const RESTART_MS = 1_000;

/** As many guides advise: a dead connection is found within some 12 s. */
export const KEEPALIVE = ['ServerAliveInterval=3', 'ServerAliveCountMax=3', 'TCPKeepAlive=yes'];

export interface SshPeerOptions {
  /** Before ssh's own arguments: `['ssh']`, or what runs it, such as `['autossh', '-M', '0']`. */
  readonly command: readonly string[];
  /** Of ssh, one `Key=value` each. */
  readonly settings: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** `ssh -N -L` of the dyno's epmd and of its nodes' ports; started again whenever it has ended. */
export class SshPeer implements Peer {
  restarts = 0;
  readonly #site: Site;
  readonly #options: SshPeerOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'epmux-chaos-ssh-'));
  #child: ChildProcess | undefined;
  #log = '';
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(site: Site, options: SshPeerOptions) {
    this.#site = site;
    this.#options = options;
  }

  async up(): Promise<Leading> {
    const { sshd, path, dyno } = this.#site;
    const key = sshd.knownHostsLine.split(' ').slice(1).join(' ');
    writeFileSync(this.#knownHosts, `[127.0.0.1]:${path.port} ${key}\n`);
    const inetrc = join(this.#folder, 'inetrc');
    const lead = `{host,{127,0,0,2},["${dyno.hostName}"]}.\n{host,{127,0,0,1},["laptop"]}.\n`;
    writeFileSync(inetrc, `${lead}{lookup,[file,native]}.\n`);
    this.#start();
    await this.#ready();
    return {
      env: { ERL_EPMD_PORT: String(dyno.epmdPort), ERL_INETRC: inetrc },
      flags: ['-dist_listen', 'false'],
      address: LOCAL,
      epmdPort: dyno.epmdPort,
      cookie: dyno.cookie,
    };
  }

  processes(): PeerProcesses {
    return { judged: new Map(), client: withEnvironment(`HOME=${this.#folder}`), agent: [] };
  }

  async restartAgent(): Promise<boolean> {
    return false;
  }

  async intervene(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    await this.#ready();
  }

  async resumes(): Promise<undefined> {
    return undefined;
  }

  log(): string {
    return this.#log.slice(-5_000);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child !== undefined) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #knownHosts(): string {
    return join(this.#folder, 'known_hosts');
  }

  #start(): void {
    const { sshd, path, dyno, ports } = this.#site;
    const [file = '', ...first] = this.#options.command;
    const settings = [
      ...this.#options.settings,
      'ExitOnForwardFailure=yes',
      'BatchMode=yes',
      `UserKnownHostsFile=${this.#knownHosts}`,
    ];
    const forwarded = [dyno.epmdPort, ports.app, ports.victim];
    const child = spawn(
      file,
      [
        ...[...first, '-N', '-F', 'none', '-i', sshd.identityFile, '-p', String(path.port)],
        ...settings.flatMap((setting) => ['-o', setting]),
        ...forwarded.flatMap((port) => ['-L', `${LOCAL}:${port}:127.0.0.1:${port}`]),
        `${sshd.user}@127.0.0.1`,
      ],
      {
        env: { PATH: process.env['PATH'], HOME: this.#folder, ...this.#options.env },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#log = (this.#log + chunk).slice(-100_000);
    });
    child.once('exit', () => this.#onExit(child));
  }

  #onExit(child: ChildProcess): void {
    if (this.#child !== child || this.#stopped) return;
    this.#child = undefined;
    this.restarts += 1;
    this.#timer = setTimeout(() => this.#start(), RESTART_MS);
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while (!(await listens(LOCAL, this.#site.ports.app))) {
      if (performance.now() > deadline) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
