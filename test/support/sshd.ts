import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface SshdOptions {
  /** One host key of each; `['ed25519']` unless told. */
  readonly hostKeys?: readonly KeyType[];
  /** Lines of sshd_config; they win over the helper's own. */
  readonly config?: readonly string[];
  /**
   * What each `sshd -i` is started by, such as `['nsenter', …]`: sessions and forwards then live
   * there.
   */
  readonly prefix?: readonly string[];
}

/**
 * A real OpenSSH server on a loopback port, as root or as an ordinary user. This process accepts
 * and hands each connection to an `sshd -i` of its own: no port is guessed, the port survives a
 * restart, and connections can be reset and frozen.
 */
export interface TestSshd {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  /** Keys, logs and configuration; gone after `stop`. */
  readonly folder: string;
  /** A private key that the server lets in. */
  readonly identityFile: string;
  /** A known_hosts file with every host key of the server as it began. */
  readonly knownHostsFile: string;
  /** The first host key now, as a known_hosts line without a newline. */
  readonly knownHostsLine: string;
  /** The first host key now, `SHA256:…`. */
  readonly fingerprint: string;
  /**
   * Whether it gives terminals. Without root sshd can't where /dev/pts belongs to root's group: it
   * would end the connection, so it refuses them instead.
   */
  readonly terminals: boolean;
  /** Connections that an sshd serves at this moment. */
  readonly connections: number;
  /** Lets a further public key in (the text of a `.pub` file). */
  authorize(publicKey: string): void;
  /** What the servers have logged so far. */
  log(): string;
  /** Every connection ends with a TCP reset, from the server's side. */
  resetConnections(): Promise<void>;
  /** Connections stay open and say nothing until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** No listener and no connections until `up`, on the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** New host keys of the same types; for connections made from now on. */
  changeHostKeys(): void;
  stop(): Promise<void>;
}

/** Makes a key pair without a comment of this machine; the public key is in `FILE.pub`. */
export function makeKey(file: string, type: KeyType = 'ed25519', passphrase = ''): void {
  rmSync(file, { force: true });
  rmSync(`${file}.pub`, { force: true });
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  execFileSync('ssh-keygen', [
    ...['-q', '-t', type, ...bits, '-N', passphrase],
    ...['-C', 'epmux-test', '-f', file],
  ]);
}

export function fingerprintOf(publicKeyFile: string): string {
  const shown = execFileSync('ssh-keygen', ['-l', '-E', 'sha256', '-f', publicKeyFile], {
    encoding: 'utf8',
  });
  return shown.split(' ')[1] ?? '';
}

export async function startSshd(options: SshdOptions = {}): Promise<TestSshd> {
  const sshd = findSshd();
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const folder = mkdtempSync(join(tmpdir(), 'epmux-sshd-'));
  const types = options.hostKeys ?? ['ed25519'];
  const hostKeyFiles = types.map((type) => join(folder, `host_${type}`));
  const identityFile = join(folder, 'identity');
  const authorizedKeys = join(folder, 'authorized_keys');
  const configFile = join(folder, 'sshd_config');
  const logFile = join(folder, 'log');

  const makeHostKeys = (): void => {
    for (const [i, file] of hostKeyFiles.entries()) makeKey(file, types[i]);
  };
  const terminals = canOwnTerminals();
  makeHostKeys();
  makeKey(identityFile);
  writeFileSync(authorizedKeys, readFileSync(`${identityFile}.pub`), { mode: 0o600 });
  writeFileSync(logFile, '');
  writeFileSync(
    configFile,
    configuration([
      ...(options.config ?? []),
      ...hostKeyFiles.map((file) => `HostKey ${file}`),
      `AuthorizedKeysFile ${authorizedKeys}`,
      `PermitTTY ${terminals ? 'yes' : 'no'}`,
      // Shells read their start-up files from there, and find none.
      `SetEnv HOME=${folder}`,
    ]),
  );

  const live = new Map<ChildProcess, Socket>();
  const serve = (socket: Socket): void => {
    const argv = [...(options.prefix ?? []), sshd, '-i', '-f', configFile, '-E', logFile];
    const child = spawn(argv[0] ?? sshd, argv.slice(1), {
      stdio: [socket, socket, 'ignore'],
      detached: true,
    });
    live.set(child, socket);
    socket.on('error', () => socket.destroy());
    child.on('error', () => socket.destroy());
    child.on('exit', () => {
      live.delete(child);
      socket.destroy();
    });
  };
  const resetConnections = async (): Promise<void> => {
    const ended = [...live].map(async ([child, socket]) => {
      child.removeAllListeners('exit');
      const exited = once(child, 'exit');
      signalGroup(child, 'SIGKILL');
      await exited;
      live.delete(child);
      socket.resetAndDestroy();
    });
    await Promise.all(ended);
  };

  let server: Server | undefined = await listen(0, serve);
  const { port } = server.address() as AddressInfo;
  const lineOf = (file: string): string => {
    const [type, key] = readFileSync(`${file}.pub`, 'utf8').split(' ');
    return `[127.0.0.1]:${port} ${type} ${key}`;
  };
  const firstHostKey = hostKeyFiles[0] ?? '';
  const knownHostsFile = join(folder, 'known_hosts');
  writeFileSync(knownHostsFile, `${hostKeyFiles.map(lineOf).join('\n')}\n`);

  const down = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    closing?.close();
    await resetConnections();
  };
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    terminals,
    folder,
    identityFile,
    knownHostsFile,
    get knownHostsLine() {
      return lineOf(firstHostKey);
    },
    get fingerprint() {
      return fingerprintOf(`${firstHostKey}.pub`);
    },
    get connections() {
      return live.size;
    },
    authorize: (publicKey) => writeFileSync(authorizedKeys, `${publicKey.trim()}\n`, { flag: 'a' }),
    log: () => readFileSync(logFile, 'utf8'),
    resetConnections,
    freeze: () => {
      for (const child of live.keys()) signalGroup(child, 'SIGSTOP');
    },
    thaw: () => {
      for (const child of live.keys()) signalGroup(child, 'SIGCONT');
    },
    down,
    up: async () => {
      server ??= await listen(port, serve);
    },
    changeHostKeys: makeHostKeys,
    stop: async () => {
      await down();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(first: readonly string[]): string {
  const lines = [
    ...first,
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'AllowTcpForwarding yes',
    'PrintMotd no',
    'PrintLastLog no',
    'UseDNS no',
    'LogLevel VERBOSE',
  ];
  return `${lines.join('\n')}\n`;
}

function canOwnTerminals(): boolean {
  if (process.getuid?.() === 0 || !existsSync('/proc/mounts')) return true;
  const group = /^tty:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1];
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.includes(' /dev/pts devpts ') && line.includes(`gid=${group}`));
}

function findSshd(): string {
  const folders = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/opt/homebrew/sbin'];
  const found = folders.map((folder) => join(folder, 'sshd')).find((file) => existsSync(file));
  if (found === undefined) throw new Error('these tests need OpenSSH: install openssh-server');
  return found;
}

async function listen(port: number, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, onSocket);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}
