/**
 * Real Erlang for tests: a private epmd and real nodes, with a home folder, a cookie and a host
 * name of their own; nothing of the machine's (its epmd on 4369, `~/.erlang.cookie`) is used or
 * touched. Everything listens on loopback and ends with `stop`, and with the test process whatever
 * happens to it.
 *
 *     const dyno = await ErlangHost.start();                      // an epmd on a free port
 *     const app = await dyno.node('app', { tickTimeS: 4 });       // erl -sname app@dyno-1a2b, registered and answering
 *     await app.eval('erlang:system_info(otp_release)')           // '"25"': the value as ~0tp prints it; rejects when it raises
 *     await app.event((e) => e.type === 'nodeup' && e.node === 'me@laptop');   // past events count too; taken events are gone
 *     await dyno.stop();                                          // all nodes, epmd, the home folder
 *
 * A host name given (or drawn) is known to this host's nodes only, by an inetrc (`hosts` adds more
 * names; all lead to 127.0.0.1), so two hosts stand for two machines. A node that is to be led
 * elsewhere (through a tunnel) gets `env: { ERL_EPMD_PORT, ERL_INETRC }`, which win. `flags` go to
 * erl as they are. `root: '/opt/otp/trixie'` runs everything of the host in another OTP release by
 * `chroot` (root only). `elixir: true` runs `elixir` with IEx loaded, so that `iex --remsh` finds
 * what it needs; `eval` stays Erlang, `evalElixir` is there too. `host.env` is the environment for
 * programs of your own (`iex`, `erl -remsh`) that shall live on this host. Failing waits say what
 * the node printed.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTROL_FROM_ELIXIR, CONTROL_PROGRAM } from './erlang-control.ts';
import { ErlangNode } from './erlang-node.ts';
import {
  endProgram,
  freePort,
  hasExited,
  type Program,
  startProgram,
  WAIT_MS,
} from './erlang-process.ts';

export { ErlangNode, type NodeEvent } from './erlang-node.ts';
export { freePort, within } from './erlang-process.ts';

export interface ErlangHostOptions {
  /**
   * The part after `@` of the nodes' names. Default: drawn, `dyno-xxxx`. With a dot the nodes use
   * long names.
   */
  readonly hostName?: string;
  /** Further host names that lead to 127.0.0.1. */
  readonly hosts?: readonly string[];
  /** Default: drawn. */
  readonly cookie?: string;
  /** The port for epmd. Default: a free one. */
  readonly epmdPort?: number;
  /** False: no epmd at all (or somebody else's on `epmdPort`). */
  readonly epmd?: boolean;
  /** A folder with another release, to chroot into. */
  readonly root?: string;
  /** What every command is started by, such as `['ip', 'netns', 'exec', 'dyno']`. */
  readonly prefix?: readonly string[];
}

export interface ErlangNodeOptions {
  readonly hidden?: boolean;
  readonly elixir?: boolean;
  /** `net_ticktime` in seconds. */
  readonly tickTimeS?: number;
  /** Wins over the host's: ERL_EPMD_PORT, ERL_INETRC, ERL_AFLAGS, … */
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags of erl, one argument each, such as `['-dist_listen', 'false']`. */
  readonly flags?: readonly string[];
  /** Default: the host's. */
  readonly cookie?: string;
  /**
   * Without a name of its own (`-sname undefined`): hidden, registered nowhere, named by the first
   * node it connects to.
   */
  readonly nameless?: boolean;
}

/** Is there an `erl` (or `elixir`) on the PATH, or in this folder's? */
export function hasErlang(program: 'erl' | 'elixir' = 'erl', root = ''): boolean {
  const folders = root === '' ? (process.env['PATH'] ?? '').split(':') : ['/usr/bin', '/bin'];
  return folders.some((folder) => existsSync(join(root, folder, program)));
}

/** epmd ends with the shell's stdin, so it can't outlive the test process. */
const EPMD_SCRIPT =
  'exec 3<&0; "$@" & epmd=$!; (cat <&3 >/dev/null; kill $epmd 2>/dev/null) & wait $epmd';

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export class ErlangHost {
  readonly hostName: string;
  readonly cookie: string;
  readonly epmdPort: number;
  /** The HOME of this host's nodes, as they see it (inside of `root`). */
  readonly home: string;
  readonly #options: ErlangHostOptions;
  readonly #folder: string;
  readonly #nodes = new Set<ErlangNode>();
  #epmd: Program | undefined;

  private constructor(options: ErlangHostOptions, folder: string, epmdPort: number, host: string) {
    this.#options = options;
    this.#folder = folder;
    this.hostName = host;
    this.cookie = options.cookie ?? randomCookie();
    this.epmdPort = epmdPort;
    this.home = options.root === undefined ? folder : folder.slice(options.root.length);
  }

  static async start(options: ErlangHostOptions = {}): Promise<ErlangHost> {
    const base = options.root === undefined ? tmpdir() : join(options.root, 'tmp');
    const folder = await mkdtemp(join(base, 'epmux-erl-'));
    const hostName = options.hostName ?? `dyno-${randomBytes(2).toString('hex')}`;
    for (let attempt = 1; ; attempt += 1) {
      const port = options.epmdPort ?? (await freePort());
      const host = new ErlangHost(options, folder, port, hostName);
      await host.#writeHome();
      if (options.epmd === false) return host;
      try {
        await host.startEpmd();
        return host;
      } catch (error) {
        // Between being found free and being used the port may go to somebody else.
        if (options.epmdPort !== undefined || attempt === 3) throw error;
      }
    }
  }

  /** The environment of this host: PATH, HOME, ERL_EPMD_PORT, ERL_INETRC. */
  get env(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.home,
      LANG: 'C.UTF-8',
      ERL_EPMD_PORT: String(this.epmdPort),
      ERL_INETRC: join(this.home, 'inetrc'),
    };
  }

  /** The words that a command of this host begins with (chroot, prefix). */
  get prefix(): readonly string[] {
    const { prefix = [], root } = this.#options;
    return root === undefined ? prefix : [...prefix, 'chroot', root];
  }

  /** A node `name@hostName`, started, registered and answering. */
  async node(name: string, options: ErlangNodeOptions = {}): Promise<ErlangNode> {
    const argv = [
      ...this.prefix,
      ...nodeCommand(options.nameless === true ? 'undefined' : `${name}@${this.hostName}`, options),
    ];
    const env: Record<string, string> = {
      ...this.env,
      EPMUX_CONTROL: CONTROL_PROGRAM,
      ...options.env,
    };
    if (options.cookie !== undefined) env['HOME'] = await this.#homeFor(options.cookie);
    const node = new ErlangNode(startProgram(argv, env));
    this.#nodes.add(node);
    await node.ready();
    return node;
  }

  /** After `stopEpmd`: on the same port again. */
  async startEpmd(): Promise<void> {
    const port = String(this.epmdPort);
    const command = ['epmd', '-port', port, '-address', '127.0.0.1', '-relaxed_command_check'];
    const argv = [...this.prefix, 'sh', '-c', EPMD_SCRIPT, 'epmd', ...command];
    const epmd = startProgram(argv, this.env);
    let said = '';
    epmd.stderr.on('data', (chunk) => {
      said += chunk;
    });
    epmd.stdout.resume();
    epmd.once('exit', () => epmd.stdin.destroy());
    const deadline = performance.now() + WAIT_MS;
    while (!(await answers(this.epmdPort))) {
      if (hasExited(epmd) || performance.now() > deadline) {
        await endProgram(epmd);
        throw new Error(`epmd did not start on ${port}: ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (hasExited(epmd)) throw new Error(`epmd did not start on ${port}: ${said}`);
    this.#epmd = epmd;
  }

  async stopEpmd(): Promise<void> {
    if (this.#epmd !== undefined) await endProgram(this.#epmd);
    this.#epmd = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.stop()));
    await this.stopEpmd();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #writeHome(): Promise<void> {
    const names = [this.hostName, ...(this.#options.hosts ?? [])].map((name) => `"${name}"`);
    const inetrc = `{host,{127,0,0,1},[${names.join(',')}]}.\n{lookup,[file,native]}.\n`;
    await writeFile(join(this.#folder, 'inetrc'), inetrc);
    await writeCookie(this.#folder, this.cookie);
  }

  async #homeFor(cookie: string): Promise<string> {
    const folder = await mkdtemp(join(this.#folder, 'home-'));
    await writeCookie(folder, cookie);
    return join(this.home, folder.slice(this.#folder.length));
  }
}

export function randomCookie(): string {
  return `C${randomBytes(10).toString('hex').toUpperCase()}`;
}

async function writeCookie(folder: string, cookie: string): Promise<void> {
  const file = join(folder, '.erlang.cookie');
  await rm(file, { force: true });
  await writeFile(file, cookie);
  await chmod(file, 0o400);
}

function nodeCommand(fullName: string, options: ErlangNodeOptions): string[] {
  const long = fullName.replace(/^[^@]*/, '').includes('.');
  const name = [long ? '-name' : '-sname', fullName];
  const flags = ['-start_epmd', 'false', '-kernel', 'inet_dist_use_interface', '{127,0,0,1}'];
  if (options.hidden === true) flags.push('-hidden');
  if (options.tickTimeS !== undefined) {
    flags.push('-kernel', 'net_ticktime', String(options.tickTimeS));
  }
  flags.push(...(options.flags ?? []));
  if (options.elixir !== true) {
    return ['erl', '-noshell', ...name, ...flags, '-eval', CONTROL_PROGRAM];
  }
  const erl = ['--erl', [...name, ...flags].join(' ')];
  return ['elixir', ...erl, '--no-halt', '-e', CONTROL_FROM_ELIXIR];
}
