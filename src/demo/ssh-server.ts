import { connect, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type Session } from 'ssh2';
import { EpmuxError } from '../protocol/errors.ts';
import { makeKeyPair } from './keys.ts';
import { LOOPBACK, listenOnLoopback } from './loopback.ts';

const DIAL_MS = 5_000;

export interface SshServerOptions {
  readonly user: string;
  /** The one key that is let in, as OpenSSH writes public keys. */
  readonly publicKey: string;
  /** Asked at each request to forward: whether this loopback port may be reached. */
  mayForward(port: number): boolean;
}

/** An SSH server as a dyno has one: lets one key in, forwards to a few loopback ports, holds sessions open and runs nothing in them. */
export interface SshServer {
  readonly port: number;
  /** The host key, drawn at the start, as a line of known_hosts without its newline. */
  readonly knownHostsLine: string;
  /** Ends every connection by a reset, and returns how many there were. */
  cut(): number;
  close(): Promise<void>;
}

export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const authorized = parseKey(options.publicKey);
  const hostKey = makeKeyPair();
  const protocol = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (connection) =>
    serve(connection, authorized, options),
  );
  const server = await listenOnLoopback((socket) => protocol.injectSocket(socket));
  return {
    port: server.port,
    knownHostsLine: `[${LOOPBACK}]:${server.port} ${hostKey.publicKey}`,
    cut() {
      const cut = server.connections.size;
      for (const socket of server.connections) socket.resetAndDestroy();
      return cut;
    },
    close: () => server.close(),
  };
}

function serve(connection: Connection, authorized: ParsedKey, options: SshServerOptions): void {
  const dialled = new Set<Socket>();
  // A client that goes away in the middle of anything is no failure of the server's.
  connection.on('error', () => connection.end());
  connection.once('close', () => {
    for (const socket of dialled) socket.destroy();
  });
  connection.on('authentication', (context) => {
    if (isAuthorized(context, authorized, options.user)) context.accept();
    else context.reject(['publickey']);
  });
  connection.on('session', (accept) => holdSession(accept()));
  connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
    if (!isLoopback(destIP) || !options.mayForward(destPort)) return reject();
    const socket = connect({ host: LOOPBACK, port: destPort, allowHalfOpen: true, noDelay: true });
    dialled.add(socket);
    socket.setTimeout(DIAL_MS, () => socket.destroy());
    const refuse = () => reject();
    socket.once('close', refuse);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => dialled.delete(socket));
    socket.once('connect', () => {
      socket.off('close', refuse);
      socket.setTimeout(0);
      const channel = accept();
      channel.on('error', () => socket.destroy());
      channel.once('close', () => socket.destroy());
      socket.once('close', () => channel.destroy());
      socket.pipe(channel).pipe(socket);
    });
  });
}

/** A session with a terminal is held until the client ends it; a command without one is told at once that it can't run. */
function holdSession(session: Session): void {
  let terminal = false;
  session.on('pty', (accept) => {
    terminal = true;
    accept?.();
  });
  session.on('exec', (accept) => {
    const channel = accept();
    channel.on('error', () => channel.destroy());
    channel.resume();
    if (terminal) return;
    channel.exit(127);
    channel.end();
  });
  session.on('shell', (_accept, reject) => reject?.());
}

function isAuthorized(context: AuthContext, authorized: ParsedKey, user: string): boolean {
  if (context.method !== 'publickey' || context.username !== user) return false;
  if (!context.key.data.equals(authorized.getPublicSSH())) return false;
  // Without a signature the client only asks whether it may try this key.
  if (context.signature === undefined || context.blob === undefined) return true;
  return authorized.verify(context.blob, context.signature, context.hashAlgo) === true;
}

function isLoopback(host: string): boolean {
  return host === LOOPBACK || host === 'localhost';
}

function parseKey(text: string): ParsedKey {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw new EpmuxError('INTERNAL', 'not a public key', { cause: key });
  return key;
}
