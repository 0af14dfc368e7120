import { connect } from 'node:net';
import {
  type EpmdAnswer,
  type EpmdName,
  type EpmdNode,
  type EpmdRequest,
  encodeEpmdRequest,
  namesAnswer,
  portAnswer,
} from '../erlang/epmd.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import { type Address, hostPort } from './address.ts';
import { type AttemptLimits, attempt } from './attempt.ts';
import { type Clock, systemClock } from './clock.ts';
import { isExhaustion } from './descriptors.ts';
import type { BytePipe } from './pipe.ts';
import { duplexPipe } from './socket-pipe.ts';

export interface AskOptions {
  /** The system's unless told. */
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

export interface EpmdLimits extends Pick<AttemptLimits, 'clock' | 'limitMs' | 'signal'> {
  /** TIMEOUT unless told. */
  readonly late?: () => EpmuxError;
}

/** epmd answers from memory: one that takes longer than this does not answer. */
const ANSWER_MS = 3_000;

/**
 * The names registered. Fails with NO_EPMD where none answers, EPMD_PROTOCOL where something else
 * does, BUSY when no descriptor is left here, and the abort's error.
 */
export async function askNames(
  epmd: Address,
  options: AskOptions = {},
): Promise<readonly EpmdName[]> {
  return (await ask(epmd, { kind: 'names' }, namesAnswer(), options)).names;
}

/**
 * Where the node registered as `name` listens; undefined: epmd knows no such node. Fails as
 * `askNames` does.
 */
export async function askNode(
  epmd: Address,
  name: string,
  options: AskOptions = {},
): Promise<EpmdNode | undefined> {
  return (await ask(epmd, { kind: 'port', name }, portAnswer(), options)).node;
}

/**
 * Puts one question to the epmd at the pipe's other end, and closes the pipe. Fails with
 * EPMD_PROTOCOL, TIMEOUT, the abort's error, or what broke the pipe.
 */
export async function askEpmdOver<T>(
  pipe: BytePipe,
  request: EpmdRequest,
  answer: EpmdAnswer<T>,
  limits: EpmdLimits,
): Promise<T> {
  const late = () =>
    new EpmuxError('TIMEOUT', `epmd there did not answer within ${limits.limitMs / 1_000} s`);
  try {
    return await attempt<T>({ what: 'asking epmd', late, ...limits }, ({ succeed, fail }) => {
      const step = (read: () => T | undefined): void => {
        try {
          const value = read();
          if (value !== undefined) succeed(value);
        } catch (error) {
          fail(EpmuxError.from(error, 'INTERNAL', 'asking epmd'));
        }
      };
      pipe.start({
        onBytes: (chunk) => step(() => answer.push(chunk)),
        onWritable: () => undefined,
        onEnd: () => step(() => answer.end()),
        onClosed: (error) => (error === undefined ? step(() => answer.end()) : fail(error)),
      });
      pipe.write(encodeEpmdRequest(request));
    });
  } finally {
    pipe.close();
  }
}

async function ask<T>(
  epmd: Address,
  request: EpmdRequest,
  answer: EpmdAnswer<T>,
  { clock = systemClock, signal }: AskOptions,
): Promise<T> {
  const at = `epmd on ${hostPort(epmd)}`;
  const late = () => noEpmd(at, `no answer within ${ANSWER_MS} ms`);
  const pipe = duplexPipe(connect({ host: epmd.host, port: epmd.port }), at);
  try {
    return await askEpmdOver(pipe, request, answer, { clock, limitMs: ANSWER_MS, signal, late });
  } catch (error) {
    if (!EpmuxError.is(error, 'PIPE_LOST')) throw error;
    const { cause = error } = error;
    const why = messageOf(cause);
    if (isExhaustion(cause)) throw new EpmuxError('BUSY', `epmd was not asked: ${why}`, { cause });
    throw noEpmd(at, why, cause);
  }
}

function noEpmd(at: string, why: string, cause?: unknown): EpmuxError {
  return new EpmuxError('NO_EPMD', `${at} does not answer: ${why}`, { cause });
}
