import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErlangHost, type ErlangNode, type ErlangNodeOptions } from '../erlang.ts';
import { endProgram, type Program, startProgram } from '../erlang-process.ts';
import { Saboteur } from '../saboteur.ts';
import { startSshd, type TestSshd } from '../sshd.ts';
import { Namespace } from './namespace.ts';

const EPMD_PORT = 4_369;
const EPMD_SCRIPT = 'epmd -relaxed_command_check & trap "kill $!" EXIT; cat >/dev/null';

export type DynoState = 'up' | 'starting' | 'crashed' | 'idle' | 'down';

export interface DynoOptions {
  readonly cookie?: string;
  /** False: nothing called `node` is on the PATH of SSH sessions and of the app. */
  readonly node?: boolean;
}

/**
 * One life of a dyno: a network and a host name of its own, a real sshd whose sessions have a home
 * folder of their own, a real epmd on 4369, real nodes. A restart is a new one. `path` is a
 * saboteur between the world and its SSH server.
 */
export class StandInDyno {
  readonly name: string;
  readonly type: string;
  /** Another one after each restart, as Heroku's. */
  readonly id: string;
  readonly hostName: string;
  readonly sshd: TestSshd;
  readonly path: Saboteur;
  readonly erlang: ErlangHost;
  /** HOME of SSH sessions and of the app. */
  readonly home: string;
  readonly #namespace: Namespace;
  readonly #epmd: Program;
  state: DynoState = 'up';

  private constructor(name: string, id: string, parts: Parts) {
    this.name = name;
    this.type = name.split('.')[0] ?? name;
    this.id = id;
    this.hostName = parts.namespace.hostName;
    this.sshd = parts.sshd;
    this.path = parts.path;
    this.erlang = parts.erlang;
    this.home = parts.home;
    this.#namespace = parts.namespace;
    this.#epmd = parts.epmd;
  }

  static async start(name: string, id: string, options: DynoOptions = {}): Promise<StandInDyno> {
    const namespace = await Namespace.start(id.slice(0, 13));
    const folder = mkdtempSync(join(tmpdir(), 'epmux-dyno-'));
    const home = join(folder, 'app');
    mkdirSync(home);
    const path = options.node === false ? pathWithoutNode(folder) : process.env['PATH'];
    const sshd = await startSshd({
      hostKeys: ['rsa'],
      prefix: namespace.prefix,
      config: [`SetEnv HOME=${home} PATH=${path}`],
    });
    writeFileSync(join(home, '.bash_profile'), `cd ${home}\n`);
    const erlang = await ErlangHost.start({
      hostName: namespace.hostName,
      epmd: false,
      epmdPort: EPMD_PORT,
      prefix: namespace.prefix,
      ...(options.cookie === undefined ? {} : { cookie: options.cookie }),
    });
    const env = { PATH: process.env['PATH'] };
    const epmd = startProgram([...namespace.prefix, 'sh', '-c', EPMD_SCRIPT], env);
    const saboteur = await Saboteur.start({ host: sshd.host, port: sshd.port });
    return new StandInDyno(name, id, { namespace, sshd, path: saboteur, erlang, home, epmd });
  }

  /** What a command that shall run in the dyno begins with. */
  get prefix(): readonly string[] {
    return this.#namespace.prefix;
  }

  /** The app's node, `app@<host name>` unless named otherwise. */
  app(name = 'app', options: ErlangNodeOptions = {}): Promise<ErlangNode> {
    return this.erlang.node(name, options);
  }

  async stop(): Promise<void> {
    this.state = 'down';
    await this.path.stop();
    await this.sshd.stop();
    await this.erlang.stop();
    await endProgram(this.#epmd);
    await this.#namespace.stop();
    rmSync(join(this.home, '..'), { recursive: true, force: true });
  }
}

/** The system's programs, for Node may be one of them. */
function pathWithoutNode(folder: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of readdirSync('/usr/bin')) {
    if (!/^(node|nodejs|npm|npx)$/.test(name)) symlinkSync(join('/usr/bin', name), join(bin, name));
  }
  return bin;
}

interface Parts {
  readonly namespace: Namespace;
  readonly sshd: TestSshd;
  readonly path: Saboteur;
  readonly erlang: ErlangHost;
  readonly home: string;
  readonly epmd: Program;
}
