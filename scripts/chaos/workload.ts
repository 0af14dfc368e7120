/** Everything that uses the tunnel at once, and the books of it. */
import { setTimeout as pause } from 'node:timers/promises';
import { ErlangHost, type ErlangNode } from '../../test/support/erlang.ts';
import { Handshakes } from './handshakes.ts';
import type { Leading } from './peer.ts';
import { nodeFlags, type Site } from './site.ts';

export interface WorkloadOptions {
  readonly blobBytes: number;
  /** Calls in flight at once: from here, and from the far end. */
  readonly callers: number;
  readonly callersBack: number;
  readonly longestCallMs: number;
  /** `net_ticktime` of every node; Erlang's own default unless told. */
  readonly tickTimeS?: number;
}

export interface Failure {
  readonly what: string;
  readonly begunAt: number;
  readonly failedAt: number;
  readonly why: string;
}

export interface Nodedown {
  readonly at: string;
  readonly of: string;
  readonly reason: string;
}

export type Books = Readonly<Record<string, number>>;

const LIMIT_MS = 60_000;
/** The longest call, and the longest outage before it. */
const STOP_MS = 240_000;
const ARRIVAL_MS = 30_000;
const LOOK_EVERY_MS = 250;

export class Workload {
  readonly handshakes: Handshakes;
  /** Calls, messages, binaries. */
  readonly me: ErlangNode;
  /** The pulse and nothing else, on a connection of its own. */
  readonly beat: ErlangNode;
  readonly #laptop: ErlangHost;
  readonly #site: Site;
  readonly #seen = new Map<ErlangNode, number>();

  private constructor(
    site: Site,
    laptop: ErlangHost,
    nodes: [ErlangNode, ErlangNode],
    at: Leading,
  ) {
    this.#site = site;
    this.#laptop = laptop;
    [this.me, this.beat] = nodes;
    this.handshakes = new Handshakes(at, site.app.name);
  }

  static async start(
    site: Site,
    leading: Leading,
    folder: string,
    options: WorkloadOptions,
  ): Promise<Workload> {
    const { env, cookie, epmdPort } = leading;
    const flags = [...nodeFlags(folder), ...leading.flags];
    const { tickTimeS } = options;
    const own = { hidden: true, env, flags, ...(tickTimeS === undefined ? {} : { tickTimeS }) };
    const laptop = await ErlangHost.start({ hostName: 'laptop', cookie, epmdPort, epmd: false });
    const [me, beat] = await Promise.all([laptop.node('me', own), laptop.node('beat', own)]);
    const workload = new Workload(site, laptop, [me, beat], leading);
    const { app, victim } = site;
    for (const node of [me, beat, app]) await node.eval('epmux_chaos:serve()');
    await me.eval(`[epmux_chaos:keep(N) || N <- ['${app.name}', '${victim.name}']]`);
    await beat.eval(`epmux_chaos:keep('${app.name}'), epmux_chaos:beat('${app.name}')`);
    await workload.resumed(0, 0, LIMIT_MS);
    const [far, near, longest] = [app.name, me.name, options.longestCallMs];
    await me.eval(
      `epmux_chaos:feed('${far}'), epmux_chaos:call('${far}', ${options.callers}, ${longest})`,
    );
    await me.eval(`epmux_chaos:carry('${far}', ${options.blobBytes})`);
    await app.eval(
      `epmux_chaos:feed('${near}'), epmux_chaos:call('${near}', ${options.callersBack}, ${longest})`,
    );
    workload.handshakes.start();
    return workload;
  }

  /** Of the local nodes. */
  get pids(): readonly number[] {
    return [this.me.pid, this.beat.pid];
  }

  /**
   * When a pulse came back, at `after` or later, that was sent at `sentAfter` or later.
   * Milliseconds since the epoch.
   */
  async resumed(sentAfter: number, after: number, limitMs: number): Promise<number> {
    return Number(await this.beat.eval(`epmux_chaos:resumed(${sentAfter}, ${after})`, limitMs));
  }

  async holdBulk(limitMs = STOP_MS): Promise<void> {
    await this.me.eval('epmux_chaos:hold()', limitMs);
  }

  async releaseBulk(): Promise<void> {
    await this.me.eval('epmux_chaos:release()', LIMIT_MS);
  }

  /** No bulk, no new calls, few messages. */
  async quieten(isQuiet: boolean): Promise<void> {
    for (const node of [this.me, this.#site.app]) await node.eval(`epmux_chaos:quiet(${isQuiet})`);
    await (isQuiet ? this.holdBulk() : this.releaseBulk());
  }

  async resetPauses(): Promise<void> {
    await this.beat.eval('epmux_chaos:reset_pauses()', LIMIT_MS);
  }

  /** Milliseconds. */
  async pauses(): Promise<{ longest: number; silent: number }> {
    const [, longest, silent] =
      /\{(\d+),(\d+)\}/.exec(await this.beat.eval('epmux_chaos:pauses()', LIMIT_MS)) ?? [];
    return { longest: Number(longest), silent: Number(silent) };
  }

  /**
   * Those since the last call of this, among the nodes of the run: an agent that looks for a cookie
   * is a hidden node that comes and goes.
   */
  takeNodedowns(): Nodedown[] {
    const { app, victim } = this.#site;
    const nodes = [this.me, this.beat, app, victim];
    const names = new Set(nodes.map(({ name }) => name));
    return nodes.flatMap((node) => {
      const news = node.events.slice(this.#seen.get(node) ?? 0);
      this.#seen.set(node, node.events.length);
      return news.flatMap((event) =>
        event.type === 'nodedown' && names.has(event.node)
          ? [{ at: node.name, of: event.node, reason: event.reason }]
          : [],
      );
    });
  }

  /** Of both ends together. */
  async books(): Promise<Books> {
    const sums: Record<string, number> = {};
    for (const text of await this.#texts('books')) {
      for (const line of text.split('\n').filter(Boolean)) {
        const [name = '', value] = line.split(' ');
        sums[name] = (sums[name] ?? 0) + Number(value);
      }
    }
    return sums;
  }

  /** The books, once every message that was sent is accounted for or should have been. */
  async arrived(): Promise<Books> {
    const deadline = Date.now() + ARRIVAL_MS;
    for (;;) {
      const books = await this.books();
      const arrived = ['received', 'lost', 'lost_in_nodedowns'].map((name) => books[name] ?? 0);
      const total = arrived.reduce((sum, count) => sum + count, 0);
      if (total >= (books['sent'] ?? 0) || Date.now() > deadline) return books;
      await pause(LOOK_EVERY_MS);
    }
  }

  async failures(): Promise<Failure[]> {
    const lines = (await this.#texts('failures')).flatMap((text) => text.split('\n'));
    return lines.filter(Boolean).map((line) => {
      const [what = '', begun, failed, ...why] = line.split(' ');
      return { what, begunAt: Number(begun), failedAt: Number(failed), why: why.join(' ') };
    });
  }

  /** How many calls ran at their far end, and how many of them more than once. */
  async executed(): Promise<{ ran: number; doubled: number }> {
    const sums = { ran: 0, doubled: 0 };
    for (const node of [this.me, this.#site.app]) {
      const text = await node.eval('epmux_chaos:executed()', LIMIT_MS);
      const [, ran, doubled] = /\{(\d+),(\d+)\}/.exec(text) ?? [];
      sums.ran += Number(ran);
      sums.doubled += Number(doubled);
    }
    return sums;
  }

  /** Lets everything finish that is under way. */
  async settle(): Promise<void> {
    const stops = [this.me, this.#site.app].map((node) => node.eval('epmux_chaos:stop()', STOP_MS));
    await Promise.all([...stops, this.handshakes.stop()]);
  }

  async stop(): Promise<void> {
    await this.#laptop.stop();
  }

  async #texts(what: 'books' | 'failures'): Promise<string[]> {
    const nodes = [this.me, this.#site.app];
    const texts = nodes.map((node) => node.eval(`epmux_chaos:${what}()`, LIMIT_MS));
    return (await Promise.all(texts)).map((text) =>
      Buffer.from(text.replace(/^"|"$/g, ''), 'base64').toString('utf8'),
    );
  }
}
