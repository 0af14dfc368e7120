import { hostname } from 'node:os';
import { EpmuxError } from '../../protocol/errors.ts';
import { type PeerInfo, readHello } from '../../protocol/hello.ts';
import type { Clock } from '../../runtime/clock.ts';
import { openDaemonPipe } from '../../runtime/open-session-pipe.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { SOFTWARE } from '../../runtime/version.ts';
import { readPipe } from './read-pipe.ts';

const HELLO_MS = 5_000;
const MAX_HELLO_BYTES = 4_096;

/**
 * Both ends prove the secret, and the connection ends there: no session begins. Errors as
 * `openDaemonPipe`; without a secret only the hello is awaited, and SECRET_MISSING says that an
 * agent is there.
 */
export async function greetAgent(
  pipe: BytePipe,
  secret: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<PeerInfo> {
  if (secret === undefined) return awaitHello(pipe, clock, signal);
  const opened = await openDaemonPipe(pipe, {
    software: SOFTWARE,
    hostName: hostname(),
    secret: Buffer.from(secret, 'utf8'),
    clock,
    signal,
    helloTimeoutMs: HELLO_MS,
    attach: () => new Uint8Array(0),
  });
  opened.pipe.close();
  return opened.peer;
}

async function awaitHello(pipe: BytePipe, clock: Clock, signal: AbortSignal): Promise<never> {
  const { label } = pipe;
  let isAgent = false;
  const bytes = await readPipe(pipe, {
    clock,
    signal,
    limitMs: HELLO_MS,
    maxBytes: MAX_HELLO_BYTES,
    what: label,
    enough: (sofar) => {
      isAgent = isHello(sofar);
      return isAgent;
    },
  });
  if (bytes.length === 0) {
    throw new EpmuxError('AGENT_MISSING', `${label} closed the connection without a word`);
  }
  if (!isAgent) {
    throw new EpmuxError('NOT_AN_AGENT', `${label} closed the connection in the middle of a hello`);
  }
  throw new EpmuxError('SECRET_MISSING', 'an agent answers, and no secret is known for it');
}

/** Throws NOT_AN_AGENT with what was said instead. */
function isHello(bytes: Uint8Array): boolean {
  return readHello(bytes, 'agent') !== undefined;
}
