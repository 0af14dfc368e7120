import { randomBytes } from 'node:crypto';
import type { Cookie, HandshakeVersion } from '../erlang/handshake.ts';
import { NodeClient, type NodeClientOutcome, type NodeIdentity } from '../erlang/node-client.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { attempt, type Settle } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { BytePipe } from './pipe.ts';

export interface NodeProbeOptions {
  /**
   * A new byte pipe to the node's distribution port; called a second time for a node before OTP 23.
   */
  readonly open: () => Promise<BytePipe>;
  readonly clock: Clock;
  /** For everything together. Default 5 s. */
  readonly timeoutMs?: number;
  /** Fail unless the node has this name; without `@` only the part before it counts. */
  readonly expected?: string;
}

export interface Pong {
  readonly node: NodeIdentity;
  /** Of the question itself, without the handshake. */
  readonly rttMs: number;
}

const TIMEOUT_MS = 5_000;
/** The host part of the name that the client gets from the node. */
const HOST = 'epmux';

/**
 * Asks a node what `net_adm:ping` asks. Fails with COOKIE_REFUSED, HANDSHAKE_REFUSED (it would
 * again), NODE_NOT_FOUND (it has another name), NODE_UNREACHABLE (also when the time is up), and
 * with the error of `open` or of the pipe when that says more. With RELAYED_COOKIE the pipe has to
 * lead through a relay that knows the cookie: the agent's.
 */
export async function pingNode(options: NodeProbeOptions, cookie: Cookie): Promise<Pong> {
  const outcome = await probe(options, cookie);
  if (outcome.kind !== 'pong') throw new EpmuxError('INTERNAL', 'a ping without an answer');
  return outcome;
}

/**
 * Asks a node for its full name, flags and creation, without any cookie. Leaves nothing in its log.
 * Fails as `pingNode` does.
 */
export async function identifyNode(options: NodeProbeOptions): Promise<NodeIdentity> {
  return (await probe(options, undefined)).node;
}

type Success = Exclude<NodeClientOutcome, { readonly kind: 'failed' }>;

async function probe(options: NodeProbeOptions, cookie: Cookie | undefined): Promise<Success> {
  const deadline = options.clock.now() + (options.timeoutMs ?? TIMEOUT_MS);
  const outcome = await shakeHands(options, cookie, 6, deadline);
  if (outcome.kind !== 'failed') return outcome;
  if (!outcome.older) throw outcome.error;
  const second = await shakeHands(options, cookie, 5, deadline);
  if (second.kind === 'failed') throw second.error;
  return second;
}

async function shakeHands(
  options: NodeProbeOptions,
  cookie: Cookie | undefined,
  version: HandshakeVersion,
  deadline: number,
): Promise<NodeClientOutcome> {
  const { clock } = options;
  const limits = {
    what: 'asking the node',
    clock,
    limitMs: deadline - clock.now(),
    late: () => new EpmuxError('NODE_UNREACHABLE', 'the node did not answer in time'),
  };
  let pipe: BytePipe | undefined;
  let over = false;
  try {
    return await attempt<NodeClientOutcome>(limits, (settle) => {
      options.open().then(
        (opened) => {
          pipe = opened;
          if (over) opened.close();
          else converse(opened, newClient(options, cookie, version), clock, settle);
        },
        (error: unknown) =>
          settle.fail(EpmuxError.from(error, 'INTERNAL', 'there is no way to the node')),
      );
    });
  } finally {
    over = true;
    pipe?.close();
  }
}

function newClient(
  options: NodeProbeOptions,
  cookie: Cookie | undefined,
  version: HandshakeVersion,
): NodeClient {
  const { expected } = options;
  return new NodeClient({
    host: HOST,
    version,
    random: () => randomBytes(4).readUInt32BE(),
    ...(cookie === undefined ? {} : { cookie }),
    ...(expected === undefined ? {} : { expected }),
  });
}

function converse(
  pipe: BytePipe,
  client: NodeClient,
  clock: Clock,
  { succeed, fail }: Settle<NodeClientOutcome>,
): void {
  let heard = false;
  const check = (): void => {
    if (client.outcome !== undefined) succeed(client.outcome);
  };
  const ended = (): void => {
    client.ended();
    check();
  };
  pipe.start({
    onBytes(chunk) {
      heard = true;
      for (const answer of client.receive(chunk, clock.now())) pipe.write(answer);
      check();
    },
    onWritable() {},
    onEnd: ended,
    onClosed(error) {
      // The tunnel's own reason says more than a silent close; once the node has spoken, it is the
      // node that closed.
      const saysMore = error !== undefined && (!heard || error.code === 'COOKIE_REFUSED');
      if (saysMore && error.code !== 'PIPE_LOST') fail(error);
      else ended();
    },
  });
  pipe.write(client.start());
}
