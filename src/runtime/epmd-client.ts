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
import { EpmuxError } from '../protocol/errors.ts';
import { isExhaustion } from './descriptors.ts';

export interface EpmdAddress {
  readonly host: string;
  readonly port: number;
}

/** epmd answers from memory: one that takes longer than this does not answer. */
const ANSWER_MS = 3_000;

/** The names registered. Fails with NO_EPMD where none answers, EPMD_PROTOCOL where something else does, BUSY when no descriptor is left here. */
export async function askNames(epmd: EpmdAddress): Promise<readonly EpmdName[]> {
  return (await ask(epmd, { kind: 'names' }, namesAnswer())).names;
}

/** Where the node registered as `name` listens; undefined: epmd knows no such node. Fails as `askNames` does, and with INTERRUPTED at the signal. */
export async function askNode(
  epmd: EpmdAddress,
  name: string,
  signal?: AbortSignal,
): Promise<EpmdNode | undefined> {
  return (await ask(epmd, { kind: 'port', name }, portAnswer(), signal)).node;
}

function ask<T>(
  epmd: EpmdAddress,
  request: EpmdRequest,
  answer: EpmdAnswer<T>,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: epmd.host, port: epmd.port });
    const timer = setTimeout(
      () => fail(noEpmd(epmd, `no answer within ${ANSWER_MS} ms`)),
      ANSWER_MS,
    );
    const settle = (settleWith: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      settleWith();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    const onAbort = (): void => fail(new EpmuxError('INTERRUPTED', 'nobody waits for epmd now'));
    const step = (read: () => T | undefined): void => {
      try {
        const value = read();
        if (value !== undefined) settle(() => resolve(value));
      } catch (error) {
        fail(error);
      }
    };
    socket.once('connect', () => socket.write(encodeEpmdRequest(request)));
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    socket.on('data', (chunk) => step(() => answer.push(chunk)));
    socket.once('end', () => step(() => answer.end()));
    socket.on('error', (cause) =>
      fail(
        isExhaustion(cause)
          ? new EpmuxError('BUSY', `epmd was not asked: ${cause.message}`, { cause })
          : noEpmd(epmd, cause.message, cause),
      ),
    );
  });
}

function noEpmd(epmd: EpmdAddress, why: string, cause?: unknown): EpmuxError {
  return new EpmuxError('NO_EPMD', `epmd on ${epmd.host}:${epmd.port} does not answer: ${why}`, {
    cause,
  });
}
