import { connect, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type Session } from 'ssh2';
import { LOOPBACK } from '../runtime/address.ts';
import { makeKeyPair } from './keys.ts';
import { listenOnLoopback } from './loopback.ts';

const DIAL_MS = 5_000;
/** Of those registered last; a tunnel has one pair for its life. */
const MAX_KEYS = 64;

export interface SshServerOptions {
  readonly user: string;
  /**
   * Which loopback port of this machine a client reaches as that one; undefined: it is not to be
   * reached.
   */
  portBehind(port: number): number | undefined;
}

/**
 * An SSH server as a dyno has one: forwards to a few loopback ports, holds sessions with a terminal
 * open and runs nothing in them.
 */
export interface SshServer {
  readonly port: number;
  /** Drawn at the start, as OpenSSH writes public keys. */
  readonly hostKey: string;
  /** Lets the holder of a key in; says whether it is one. */
  authorize(publicKey: string): boolean;
  /** Ends every connection by a reset, and returns how many there were. */
  cut(): number;
  close(): Promise<void>;
}

export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const authorized: ParsedKey[] = [];
  const hostKey = makeKeyPair();
  const protocol = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (connection) =>
    serve(connection, authorized, options),
  );
  const server = await listenOnLoopback((socket) => protocol.injectSocket(socket));
  return {
    port: server.port,
    hostKey: hostKey.publicKey,
    authorize(publicKey) {
      const key = ssh2.utils.parseKey(publicKey);
      if (key instanceof Error || key.isPrivateKey()) return false;
      authorized.push(key);
      if (authorized.length > MAX_KEYS) authorized.shift();
      return true;
    },
    cut() {
      const cut = server.connections.size;
      for (const socket of server.connections) socket.resetAndDestroy();
      return cut;
    },
    close: () => server.close(),
  };
}

function serve(
  connection: Connection,
  authorized: readonly ParsedKey[],
  options: SshServerOptions,
): void {
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
    const port = isLoopback(destIP) ? options.portBehind(destPort) : undefined;
    if (port === undefined) return reject();
    const socket = connect({ host: LOOPBACK, port, allowHalfOpen: true, noDelay: true });
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

/**
 * A session with a terminal is held until the client ends it; a command without one is told at once
 * that it can't run.
 */
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

function isAuthorized(
  context: AuthContext,
  authorized: readonly ParsedKey[],
  user: string,
): boolean {
  if (context.method !== 'publickey' || context.username !== user) return false;
  const { key: offered, signature, blob, hashAlgo } = context;
  const key = authorized.find((known) => offered.data.equals(known.getPublicSSH()));
  if (key === undefined) return false;
  // Without a signature the client only asks whether it may try this key.
  if (signature === undefined || blob === undefined) return true;
  return key.verify(blob, signature, hashAlgo) === true;
}

function isLoopback(host: string): boolean {
  return host === LOOPBACK || host === 'localhost';
}
