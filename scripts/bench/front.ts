/**
 * The daemon's end of a tunnel for raw bytes: its transports, its session and its driver, and a
 * listener in place of a node port. What it leaves out of the daemon's way is the distribution
 * relay, which follows Erlang's framing. Prints its port.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { WatchedPipe } from '../../src/daemon/links/watched-pipe.ts';
import { SESSION_ID_BYTES } from '../../src/protocol/constants.ts';
import { attachSession } from '../../src/runtime/attach-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Logger } from '../../src/runtime/logger.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import { SESSION_LIMITS } from '../../src/runtime/session-limits.ts';
import { keepHeapSmall } from '../../src/runtime/small-heap.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import { createTransport } from '../../src/transport/create.ts';
import type { PlainWay } from '../../src/transport/way.ts';
import { serveUntilStdinEnds } from './load/serve.ts';

export interface FrontOptions {
  readonly way: PlainWay;
  readonly agentPort: number;
  readonly secretFile: string;
  /** Where `.ssh` is. */
  readonly home: string;
  /** The fingerprint of the SSH server's key. */
  readonly acceptHostKey?: string;
}

/**
 * An agent's sessions have fewer streams than the bench opens: then there is another session, as of
 * another laptop.
 */
const STREAMS_A_SESSION = 1_000;

const options = JSON.parse(process.argv[2] ?? '{}') as FrontOptions;
const logger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const secret = Buffer.from(readFileSync(options.secretFile, 'utf8').trim());
const sessions: { readonly driver: SessionDriver; streams: number }[] = [];

function fail(why: string): never {
  process.stderr.write(`front: ${why}\n`);
  process.exit(1);
}

async function attach(driver: SessionDriver): Promise<void> {
  const { signal } = new AbortController();
  const transport = createTransport(options.way, {
    agentPort: options.agentPort,
    env: process.env,
    home: options.home,
    acceptHostKey: options.acceptHostKey,
    clock: systemClock,
    logger,
  });
  const carrier = await transport.connect(signal);
  const pipe = new WatchedPipe(await carrier.openAgentPipe(signal), { onClosed() {} });
  await attachSession(driver, pipe, {
    secret,
    clock: systemClock,
    signal,
    software: 'epmux-bench',
    helloTimeoutMs: SESSION_LIMITS.helloMs.default,
    hostName: 'bench',
  });
}

function newSession(): { readonly driver: SessionDriver; streams: number } {
  const id = randomBytes(SESSION_ID_BYTES);
  const driver = new SessionDriver({
    session: new Session('daemon', SESSION_DEFAULTS, id, systemClock.now()),
    clock: systemClock,
    handlers: {
      onAttached() {},
      onPipeLost: (error) => fail(error.message),
      onEnded: (reason) => fail(reason.text),
      onDirectory() {},
      onIncoming() {},
      onRtt() {},
    },
  });
  const session = { driver, streams: 0 };
  sessions.push(session);
  return session;
}

function serve(socket: Socket): void {
  let session = sessions.find(({ streams }) => streams < STREAMS_A_SESSION);
  if (session === undefined) {
    session = newSession();
    attach(session.driver).catch((error: Error) => fail(error.message));
  }
  const used = session;
  used.streams += 1;
  socket.once('close', () => {
    used.streams -= 1;
  });
  splice(duplexPipe(socket, 'a local connection'), used.driver.open('port/bench', 'interactive'));
}

keepHeapSmall();
await attach(newSession().driver);
serveUntilStdinEnds(createServer({ allowHalfOpen: true, noDelay: true }, serve));
