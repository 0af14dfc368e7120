/**
 * Hundreds of short streams: what `epmux ping`, a starting `iex --remsh` or a health check does
 * first. Each asks epmd, connects, and gets as far as the node's challenge.
 */
import { connect } from 'node:net';
import { encodeEpmdRequest, portAnswer } from '../../src/erlang/epmd.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { identifyNode } from '../../src/runtime/node-probe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import type { Leading } from './peer.ts';

export interface FailedHandshake {
  readonly begunAt: number;
  readonly failedAt: number;
  readonly why: string;
}

/** Longer than any outage. */
const LIMIT_MS = 180_000;
const EVERY_MS = 2_000;
const AT_ONCE = 15;
/** Now and then many at a time. */
const BURST_EVERY = 15;
const BURST = 40;
/**
 * While this many have not come back, no more are sent after them: a daemon takes 128 connections
 * to a node, and one that its client has left counts until the far end has heard of it.
 */
const MAX_OPEN = 60;
const MAX_FAILURES = 20_000;

export class Handshakes {
  begun = 0;
  done = 0;
  readonly failures: FailedHandshake[] = [];
  readonly #leading: Pick<Leading, 'address' | 'epmdPort'>;
  readonly #node: string;
  readonly #open = new Set<Promise<void>>();
  #waves = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(leading: Pick<Leading, 'address' | 'epmdPort'>, node: string) {
    this.#leading = leading;
    this.#node = node;
  }

  start(): void {
    this.#timer = setInterval(() => this.#wave(), EVERY_MS);
  }

  /** Resolves when those that have begun are over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  #wave(): void {
    this.#waves += 1;
    const wanted = this.#waves % BURST_EVERY === 0 ? BURST : AT_ONCE;
    const count = Math.min(wanted, MAX_OPEN - this.#open.size);
    for (let i = 0; i < count; i += 1) {
      const one: Promise<void> = this.#one().finally(() => this.#open.delete(one));
      this.#open.add(one);
    }
  }

  async #one(): Promise<void> {
    this.begun += 1;
    const begunAt = Date.now();
    try {
      const { address } = this.#leading;
      const port = await this.#ask();
      const { name } = await identifyNode({
        open: async () => duplexPipe(await dial(address, port), 'chaos'),
        clock: systemClock,
        timeoutMs: LIMIT_MS,
        expected: this.#node,
      });
      if (name !== this.#node) throw new Error(`answered as ${name}`);
      this.done += 1;
    } catch (error) {
      if (this.failures.length >= MAX_FAILURES) return;
      this.failures.push({ begunAt, failedAt: Date.now(), why: String(error) });
    }
  }

  async #ask(): Promise<number> {
    const { address, epmdPort } = this.#leading;
    const socket = await dial(address, epmdPort);
    const name = this.#node.split('@')[0] ?? '';
    const answer = portAnswer();
    socket.write(encodeEpmdRequest({ kind: 'port', name }));
    try {
      for await (const chunk of socket) {
        const found = answer.push(chunk as Uint8Array);
        if (found !== undefined) return portOf(found);
      }
      const found = answer.end();
      if (found === undefined) throw new Error('epmd closed without an answer');
      return portOf(found);
    } finally {
      socket.destroy();
    }
  }
}

function portOf(answer: { readonly node: { readonly port: number } | undefined }): number {
  if (answer.node === undefined) throw new Error('epmd knows no such node');
  return answer.node.port;
}

function dial(host: string, port: number): Promise<import('node:net').Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), LIMIT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
