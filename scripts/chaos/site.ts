/**
 * The far end: a dyno with a node that is used and one that is there to be killed, its sshd, and
 * the saboteur before it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErlangHost, type ErlangNode, freePort } from '../../test/support/erlang.ts';
import { Saboteur } from '../../test/support/saboteur.ts';
import { startSshd, type TestSshd } from '../../test/support/sshd.ts';

const MODULE = join(import.meta.dirname, 'epmux_chaos.erl');

export interface SiteNodePorts {
  readonly app: number;
  readonly victim: number;
}

export interface Site {
  readonly path: Saboteur;
  readonly sshd: TestSshd;
  /** Whose nodes the tunnel leads to. */
  readonly dyno: ErlangHost;
  /** Fixed, so that they can be forwarded. */
  readonly ports: SiteNodePorts;
  readonly app: ErlangNode;
  /** The one that is there now. */
  readonly victim: ErlangNode;
  restartVictim(): Promise<void>;
  stop(): Promise<void>;
}

/** A node's own patience in a handshake (7 s) is shorter than the outages here. */
const SETUP_TIME_S = 120;

/** epmux_chaos, compiled by this machine's OTP into a folder of its own. */
export function compileModule(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-chaos-'));
  const { status, stdout, stderr } = spawnSync('erlc', ['-o', folder, MODULE], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`erlc: ${stdout}${stderr}`);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What every node of a run is started with. */
export function nodeFlags(folder: string, port?: number): string[] {
  const setup = ['-kernel', 'net_setuptime', String(SETUP_TIME_S), '-pa', folder];
  if (port === undefined) return setup;
  const keys = ['inet_dist_listen_min', 'inet_dist_listen_max'];
  return [...setup, ...keys.flatMap((key) => ['-kernel', key, String(port)])];
}

/** On this machine's own network: its nodes and its epmd listen on 127.0.0.1 alone. */
export class LoopbackSite implements Site {
  readonly path: Saboteur;
  readonly sshd: TestSshd;
  readonly dyno: ErlangHost;
  readonly ports: SiteNodePorts;
  readonly app: ErlangNode;
  victim: ErlangNode;
  readonly #folder: string;

  private constructor(
    parts: Pick<Site, 'path' | 'sshd' | 'dyno' | 'ports' | 'app' | 'victim'>,
    folder: string,
  ) {
    this.path = parts.path;
    this.sshd = parts.sshd;
    this.dyno = parts.dyno;
    this.ports = parts.ports;
    this.app = parts.app;
    this.victim = parts.victim;
    this.#folder = folder;
  }

  static async start(folder: string, tickTimeS?: number): Promise<LoopbackSite> {
    const dyno = await ErlangHost.start();
    const ports = { app: await freePort(), victim: await freePort() };
    const tick = tickTimeS === undefined ? {} : { tickTimeS };
    const [sshd, app, victim] = await Promise.all([
      startSshd(),
      dyno.node('app', { flags: nodeFlags(folder, ports.app), ...tick }),
      dyno.node('victim', { flags: nodeFlags(folder, ports.victim), ...tick }),
    ]);
    const path = await Saboteur.start({ host: sshd.host, port: sshd.port });
    return new LoopbackSite({ path, sshd, dyno, ports, app, victim }, folder);
  }

  async restartVictim(): Promise<void> {
    this.victim.signal('SIGKILL');
    await this.victim.exited;
    this.victim = await this.dyno.node('victim', {
      flags: nodeFlags(this.#folder, this.ports.victim),
    });
  }

  async stop(): Promise<void> {
    await this.path.stop();
    await this.sshd.stop();
    await this.dyno.stop();
  }
}
