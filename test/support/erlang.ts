/**
 * Real Erlang for tests: a private epmd and real nodes, with a home folder, a cookie and a host name of their own; nothing of the machine's (its epmd on
 * 4369, `~/.erlang.cookie`) is used or touched. Everything listens on loopback and ends with `stop`, and with the test process whatever happens to it.
 *
 *     const dyno = await ErlangHost.start();                      // an epmd on a free port
 *     const app = await dyno.node('app', { tickTimeS: 4 });       // erl -sname app@dyno-1a2b, registered and answering
 *     await app.eval('erlang:system_info(otp_release)')           // '"25"': the value as ~0tp prints it; rejects when it raises
 *     await app.event((e) => e.type === 'nodeup' && e.node === 'me@laptop');   // past events count too; taken events are gone
 *     await dyno.stop();                                          // all nodes, epmd, the home folder
 *
 * A host name given (or drawn) is known to this host's nodes only, by an inetrc (`hosts` adds more names; all lead to 127.0.0.1), so two hosts stand for two
 * machines. A node that is to be led elsewhere (through a tunnel) gets `env: { ERL_EPMD_PORT, ERL_INETRC }`, which win. `flags` go to erl as they are.
 * `root: '/opt/otp/trixie'` runs everything of the host in another OTP release by `chroot` (root only).
 * `elixir: true` runs `elixir` with IEx loaded, so that `iex --remsh` finds what it needs; `eval` stays Erlang, `evalElixir` is there too.
 * `host.env` is the environment for programs of your own (`iex`, `erl -remsh`) that shall live on this host.
 * Failing waits say what the node printed.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CONTROL_FROM_ELIXIR, CONTROL_MARK, CONTROL_PROGRAM } from './erlang-control.ts';

const WAIT_MS = 15_000;
const STOP_MS = 3_000;

export interface ErlangHostOptions {
  /** The part after `@` of the nodes' names. Default: drawn, `dyno-xxxx`. With a dot the nodes use long names. */
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
  /** Without a name of its own (`-sname undefined`): hidden, registered nowhere, named by the first node it connects to. */
  readonly nameless?: boolean;
}

export type NodeEvent =
  | { readonly type: 'nodeup'; readonly node: string; readonly hidden: boolean }
  | {
      readonly type: 'nodedown';
      readonly node: string;
      readonly hidden: boolean;
      /** As `~0tp` prints it, such as `net_tick_timeout`, `connection_closed`. */
      readonly reason: string;
    };

/** Is there an `erl` (or `elixir`) on the PATH, or in this folder's? */
export function hasErlang(program: 'erl' | 'elixir' = 'erl', root = ''): boolean {
  const folders = root === '' ? (process.env['PATH'] ?? '').split(':') : ['/usr/bin', '/bin'];
  return folders.some((folder) => existsSync(join(root, folder, program)));
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

function start(argv: readonly string[], env: NodeJS.ProcessEnv): Program {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  child.once('error', () => alive.delete(child));
  // A child that has gone is told by `exit`; what was written to it meanwhile is of no interest.
  child.stdin.on('error', () => {});
  return child;
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Ends stdin, which both our programs take as the wish to end; kills after a limit. */
async function end(child: Program, graceMs = STOP_MS): Promise<void> {
  if (hasExited(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGCONT');
  child.stdin.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}

/** `work`, or an error with `explain()` after the limit. */
export async function within<T>(
  work: Promise<T>,
  explain: () => string,
  limitMs = WAIT_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${limitMs} ms were not enough: ${explain()}`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
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
    const node = new ErlangNode(start(argv, env));
    this.#nodes.add(node);
    await node.ready();
    return node;
  }

  /** After `stopEpmd`: on the same port again. */
  async startEpmd(): Promise<void> {
    const port = String(this.epmdPort);
    const command = ['epmd', '-port', port, '-address', '127.0.0.1', '-relaxed_command_check'];
    const argv = [...this.prefix, 'sh', '-c', EPMD_SCRIPT, 'epmd', ...command];
    const epmd = start(argv, this.env);
    let said = '';
    epmd.stderr.on('data', (chunk) => {
      said += chunk;
    });
    epmd.stdout.resume();
    epmd.once('exit', () => epmd.stdin.destroy());
    const deadline = performance.now() + WAIT_MS;
    while (!(await answers(this.epmdPort))) {
      if (hasExited(epmd) || performance.now() > deadline) {
        await end(epmd);
        throw new Error(`epmd did not start on ${port}: ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (hasExited(epmd)) throw new Error(`epmd did not start on ${port}: ${said}`);
    this.#epmd = epmd;
  }

  async stopEpmd(): Promise<void> {
    if (this.#epmd !== undefined) await end(this.#epmd);
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

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class ErlangNode {
  /** The full name, once ready. */
  name = '';
  readonly #child: Program;
  readonly #exited: Promise<void>;
  #log = '';
  #rest = '';
  #nextId = 1;
  readonly #evals = new Map<string, Waiting<string>>();
  readonly #events: NodeEvent[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(child: Program) {
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#log += chunk;
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => this.#gone(error.message, resolve));
      child.once('close', (code, signal) => this.#gone(`exit ${code ?? signal}`, resolve));
    });
  }

  /** The process of the BEAM itself: for SIGSTOP, SIGCONT, SIGKILL. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the node did not start');
    return this.#child.pid;
  }

  /** What the node has printed and logged so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when the process has gone. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  async ready(): Promise<void> {
    await this.#until(() => (this.name === '' ? undefined : true), 'a node to start', WAIT_MS);
  }

  /** Evaluates Erlang expressions (`.` at the end may be left out) and gives the last value as text. */
  async eval(expressions: string, limitMs = WAIT_MS): Promise<string> {
    const id = String(this.#nextId++);
    const text = expressions.trimEnd().replace(/\.?$/, '.');
    if (hasExited(this.#child)) throw new Error(`the node has gone: ${this.#log}`);
    const answer = new Promise<string>((resolve, reject) => {
      this.#evals.set(id, { resolve, reject });
    });
    this.#child.stdin.write(`${id} ${Buffer.from(text).toString('base64')}\n`);
    return within(answer, () => `${this.name} to evaluate ${text}\n${this.#log}`, limitMs);
  }

  /** Evaluates Elixir (a node with `elixir: true`) and gives the value as `inspect` prints it. */
  async evalElixir(code: string, limitMs = WAIT_MS): Promise<string> {
    const base64 = Buffer.from(`inspect((${code}), limit: :infinity)`).toString('base64');
    const bytes = await this.eval(
      `{V, _} = 'Elixir.Code':eval_string(base64:decode("${base64}")), base64:encode_to_string(V)`,
      limitMs,
    );
    return Buffer.from(bytes.slice(1, -1), 'base64').toString('utf8');
  }

  /** The first event, past or to come, that fits; it and those before it are taken. */
  async event(fits: (event: NodeEvent) => boolean, limitMs = WAIT_MS): Promise<NodeEvent> {
    const take = () => {
      const at = this.#events.findIndex(fits);
      return at < 0 ? undefined : this.#events.splice(0, at + 1).at(-1);
    };
    return this.#until(take, 'an event', limitMs);
  }

  /** Events not taken yet. */
  get events(): readonly NodeEvent[] {
    return this.#events;
  }

  /** Resolves when the log holds this text. */
  async logged(text: string | RegExp, limitMs = WAIT_MS): Promise<void> {
    const seen = () => (this.#log.search(text) >= 0 ? true : undefined);
    await this.#until(seen, `the log to hold ${text}`, limitMs);
  }

  /** SIGSTOP freezes the node, SIGCONT wakes it, SIGKILL ends it without a word. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#child.pid === undefined) return;
    await end(this.#child);
    await this.#exited;
  }

  async #until<T>(take: () => T | undefined, what: string, limitMs: number): Promise<T> {
    let stop: (() => void) | undefined;
    const found = new Promise<T>((resolve, reject) => {
      const look = () => {
        const value = take();
        if (value !== undefined) resolve(value);
        else if (hasExited(this.#child)) reject(new Error(`the node has gone: ${this.#log}`));
      };
      stop = () => this.#watchers.delete(look);
      this.#watchers.add(look);
      look();
    });
    const explain = () =>
      `${this.name} waits for ${what}; events ${JSON.stringify(this.#events)}\n${this.#log}`;
    return within(found, explain, limitMs).finally(() => stop?.());
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    this.#changed();
  }

  #line(line: string): void {
    const at = line.indexOf(`${CONTROL_MARK} `);
    if (at < 0) {
      this.#log += `${line}\n`;
      return;
    }
    const [, kind, ...words] = line.slice(at).split(' ');
    const value = decode(words.at(-1));
    const [first = '', second = ''] = words;
    if (kind === 'ready') this.name = unquote(value);
    else if (kind === 'ok') this.#take(first)?.resolve(value);
    else if (kind === 'error') this.#take(first)?.reject(new Error(`${this.name}: ${value}`));
    else this.#event(kind, first === 'hidden', decode(second), unquote(value));
  }

  #event(kind: string | undefined, hidden: boolean, reason: string, node: string): void {
    if (kind === 'nodeup') this.#events.push({ type: 'nodeup', node, hidden });
    if (kind === 'nodedown') this.#events.push({ type: 'nodedown', node, hidden, reason });
  }

  #take(id: string): Waiting<string> | undefined {
    const waiting = this.#evals.get(id);
    this.#evals.delete(id);
    return waiting;
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look();
  }

  #gone(how: string, resolve: () => void): void {
    this.#log += `[${how}]\n`;
    for (const { reject } of this.#evals.values()) {
      reject(new Error(`the node has gone: ${this.#log}`));
    }
    this.#evals.clear();
    this.#changed();
    resolve();
  }
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}

/** An atom as ~0tp prints it, without its quotes. */
function unquote(atom: string): string {
  return atom.replace(/^'(.*)'$/, '$1');
}
