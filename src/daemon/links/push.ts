import { randomBytes } from 'node:crypto';
import { EpmuxError } from '../../protocol/errors.ts';
import { portOf } from '../../runtime/address.ts';
import { abortError } from '../../runtime/attempt.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { MIN_NODE, NODE_VERSION } from '../../runtime/dyno-node.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Carrier, RemoteProcess } from '../../transport/transport.ts';
import type { AgentBundle, PackedAgent } from './agent-bundle.ts';
import { PUSH_REQUEST } from './push-script.ts';
import { type PushAnswer, PushTalk } from './push-talk.ts';

/** For the first word: what runs no commands, or another one, may say nothing for ever. */
const READY_MS = 8_000;
/** For the upload, and until the agent listens. */
const START_MS = 20_000;
const PUSHING = 'pushing an agent';
const SECRET_BYTES = 32;
const MAX_STDERR_CHARS = 1_024;

/** An agent that this daemon has started in a dyno, and that nobody else knows of. */
export interface PushedAgent {
  /** On the dyno's loopback. */
  readonly port: number;
  readonly secret: string;
  /** The Node that runs it: `v20.19.0`. */
  readonly node: string;
}

/** What goes before the agent's packed bytes, as one line of JSON. */
interface PushHeader {
  readonly bytes: number;
  /** Of the agent as it is unpacked. */
  readonly sha256: string;
  readonly secret: string;
  readonly args: readonly string[];
}

export interface PushOptions {
  readonly epmdPort: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bundle: AgentBundle;
  /**
   * Called once the dyno takes connections on the agent's port: they wait there until it answers.
   * It may still fail to start.
   */
  readonly onPort?: (port: number) => void;
}

/**
 * Starts our agent in the dyno, so that it outlives the carrier. Fails with AGENT_MISSING when it
 * can't be (the message says why), with PIPE_LOST when the carrier may have broken, and with the
 * abort's error; then nothing stays behind.
 */
export async function pushAgent(
  carrier: Carrier,
  options: PushOptions,
  signal: AbortSignal,
): Promise<PushedAgent> {
  const { exec } = carrier;
  if (exec === undefined) throw cannot('no command can be run there');
  const { bundle, clock, logger } = options;
  await bundle.read().catch((cause: unknown) => {
    throw cannot('this epmux has none: its file is not there, or can not be read', cause);
  });
  // While the dyno is asked for a process.
  const packing = bundle.pack();
  packing.catch(() => undefined);
  const limit = new Limit(clock, signal);
  let dyno: RemoteProcess | undefined;
  let complaint = '';
  try {
    limit.set(READY_MS, `its shell said nothing for ${READY_MS / 1_000} s`);
    dyno = await exec(PUSH_REQUEST, limit.signal);
    dyno.onStderr((chunk) => {
      complaint = `${complaint}${Buffer.from(chunk).toString('utf8')}`.slice(-MAX_STDERR_CHARS);
    });
    const talk = new PushTalk(dyno.io);
    limit.onOver(() => talk.fail(abortError(PUSHING, limit.signal)));
    if (limit.signal.aborted) throw abortError(PUSHING, limit.signal);
    return await converse(talk, packing, options, limit);
  } catch (error) {
    if (complaint !== '') logger.debug('while an agent was pushed', { stderr: complaint });
    if (signal.aborted) throw abortError(PUSHING, signal);
    throw asReason(error);
  } finally {
    limit.clear();
    // The end of its stdin tells the program in the dyno to undo what is not finished.
    dyno?.close();
  }
}

async function converse(
  talk: PushTalk,
  packing: Promise<PackedAgent>,
  { epmdPort, onPort }: PushOptions,
  limit: Limit,
): Promise<PushedAgent> {
  const begun = await talk.next();
  if (begun.word !== 'begin') throw cannot(unready(begun));
  limit.set(START_MS, `it took longer than ${START_MS / 1_000} s`);
  const { bytes, sha256 } = await packing;
  const header: PushHeader = {
    bytes: bytes.length,
    sha256,
    secret: randomBytes(SECRET_BYTES).toString('hex'),
    args: ['--epmd-port', String(epmdPort)],
  };
  await talk.send(Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]));
  const greeting = await talk.next();
  if (greeting.word !== 'ready' || !NODE_VERSION.test(greeting.text))
    throw cannot(unready(greeting));
  const port = portIn(await talk.next());
  onPort?.(port);
  const { word, text } = await talk.next();
  if (word !== 'started') throw cannot(text);
  return { port, secret: header.secret, node: greeting.text };
}

function portIn({ word, text }: PushAnswer): number {
  const port = word === 'port' ? portOf(text) : undefined;
  if (port !== undefined) return port;
  throw cannot(text);
}

function unready({ word, text }: PushAnswer): string {
  if (word !== 'none') return 'what its shell runs is something else';
  const found = text === '' ? 'no Node.js was found there' : `Node.js is ${text} there`;
  return `${found}, and ${MIN_NODE} or newer is needed`;
}

function cannot(why: string, cause?: unknown): EpmuxError {
  return new EpmuxError('AGENT_MISSING', why, { cause });
}

/** PIPE_LOST stays what it is: whether the carrier broke, or only that process, its owner knows. */
function asReason(error: unknown): unknown {
  if (!(error instanceof EpmuxError)) return error;
  if (EpmuxError.is(error, 'AGENT_MISSING', 'PIPE_LOST')) return error;
  return cannot(error.message, error);
}

/** A caller's signal together with a time limit that is set anew for each step. */
class Limit {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #late = new AbortController();
  #cancel: Cancel = () => undefined;
  #forget: () => void = () => undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.signal = AbortSignal.any([signal, this.#late.signal]);
  }

  set(ms: number, why: string): void {
    this.#cancel();
    this.#cancel = this.#clock.wakeAt(this.#clock.now() + ms, () => this.#late.abort(cannot(why)));
  }

  /** Once, unless it is cleared before. */
  onOver(listener: () => void): void {
    this.signal.addEventListener('abort', listener);
    this.#forget = () => this.signal.removeEventListener('abort', listener);
  }

  /**
   * A listener left behind would keep the signal alive, which Node holds for good, and with it the
   * connection.
   */
  clear(): void {
    this.#cancel();
    this.#forget();
  }
}
