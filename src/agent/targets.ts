import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { wireCodeName, wireReason } from '../protocol/wire-codes.ts';
import type { Address } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Descriptors } from '../runtime/descriptors.ts';
import { askNode } from '../runtime/epmd-client.ts';
import type { Logger } from '../runtime/logger.ts';
import { NodeCoupling } from '../runtime/node-coupling.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { IncomingStream } from '../runtime/session-stream.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import { splice } from '../runtime/splice.ts';
import { dialLoopback } from './dial.ts';

export interface OpenNode {
  readonly pipe: BytePipe;
  /** Its cookie, where it is known and may be shown to what listens there. */
  readonly cookie: string | undefined;
}

/** What is known of the nodes of this host, and what becomes known. */
export interface TargetNodes {
  /** A connection to the port of the node of this short name. Fails as `dialOwnHost` does. */
  readonly open: (short: string, port: number, signal: AbortSignal) => Promise<OpenNode>;
  /** Whether a node of this host has this full name. */
  readonly hasNode: (name: string) => boolean;
  /**
   * The node refused a connection: `ours`, the cookie given for it was shown. The text is for the
   * other end.
   */
  readonly onCookieRefused: (short: string, ours: boolean) => string;
  /** A node has gone, or one was asked for that is not there. */
  readonly onNodeNews: () => void;
}

export interface TargetOptions {
  readonly epmd: Address;
  readonly descriptors: Descriptors;
  readonly allow: ReadonlyMap<string, number>;
  readonly stallMs: number;
  readonly nodeSilenceMs: number;
  readonly nodes: TargetNodes;
  readonly clock: Clock;
  readonly log: Logger;
}

const NODE = 'node/';
const PORT = 'port/';

/**
 * Leads a stream to what its target names, or rejects it with the reason; gives up when the stream
 * is gone.
 */
export async function serveTarget(stream: IncomingStream, options: TargetOptions): Promise<void> {
  const { target } = stream;
  // However fast streams are opened and reset: what is dialled at a time is what the session's
  // limit of streams allows.
  const gone = new AbortController();
  stream.accepted.catch(() => gone.abort());
  try {
    await options.descriptors.opening(() => open(stream, options, gone.signal));
  } catch (error) {
    if (gone.signal.aborted) return;
    const known = EpmuxError.from(error, 'INTERNAL', 'the agent failed');
    options.log.info('a stream is rejected', { target, code: known.code, why: known.message });
    stream.reject(wireReason(known));
  }
}

async function open(
  stream: IncomingStream,
  options: TargetOptions,
  gone: AbortSignal,
): Promise<void> {
  const { target } = stream;
  if (target.startsWith(NODE) && target !== NODE)
    await toNode(stream, target.slice(NODE.length), options, gone);
  else if (target.startsWith(PORT)) await toPort(stream, target.slice(PORT.length), options, gone);
  else rejectUnknown(stream, options.log);
}

async function toNode(
  stream: IncomingStream,
  name: string,
  options: TargetOptions,
  gone: AbortSignal,
): Promise<void> {
  const { epmd, nodes, clock, stallMs, nodeSilenceMs, log } = options;
  const node = await askNode(epmd, name, { clock, signal: gone });
  if (node === undefined) {
    nodes.onNodeNews();
    throw new EpmuxError('NODE_NOT_FOUND', `epmd knows no node ${name}`);
  }
  const { pipe, cookie: production } = await nodes.open(name, node.port, gone);
  log.debug('a stream is open', { target: stream.target, port: node.port });
  stream.accept();
  new NodeCoupling({
    node: pipe,
    tunnel: stream,
    relay: {
      side: 'acceptor',
      hide: true,
      isTaken: nodes.hasNode,
      nodeSilenceMs,
      cookies: production === undefined ? undefined : { production },
    },
    onCookieRefused: ({ translated }) => nodes.onCookieRefused(name, translated),
    clock,
    stallMs,
    onClosed: ({ code, text }) => {
      nodes.onNodeNews();
      const fields = { target: stream.target, code: wireCodeName(code), why: text };
      if (code === WireCode.STALLED) log.warn('a stream was cut for the node’s sake', fields);
      else if (code === WireCode.HIDDEN_ONLY) log.info('a stream is refused', fields);
      else log.debug('a stream is closed', fields);
    },
  });
}

async function toPort(
  stream: IncomingStream,
  name: string,
  options: TargetOptions,
  gone: AbortSignal,
): Promise<void> {
  const port = options.allow.get(name);
  if (port === undefined) {
    rejectUnknown(stream, options.log);
    return;
  }
  const socket = await dialLoopback(port, options.clock, gone);
  stream.accept();
  splice(stream, duplexPipe(socket, stream.target));
}

function rejectUnknown(stream: IncomingStream, log: Logger): void {
  log.info('a stream is rejected', { target: stream.target, code: 'UNKNOWN_TARGET' });
  stream.reject({
    code: WireCode.UNKNOWN_TARGET,
    text: 'this agent opens node/NAME, and port/NAME for what it was started with --allow for',
  });
}
