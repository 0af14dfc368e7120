/**
 * One run: the far end, a peer, the workload, the schedule of sabotage, and the books at the end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isEnd, nodedownsAfter } from './ends.ts';
import { Holdings } from './holdings.ts';
import type { Leading, Peer } from './peer.ts';
import { RunRecord } from './record.ts';
import { type Done, Sabotage } from './saboteur.ts';
import type { Act, End } from './schedule.ts';
import type { Measured } from './scorecard.ts';
import type { Site } from './site.ts';
import { type Failure, type Nodedown, Workload, type WorkloadOptions } from './workload.ts';

export interface RunOptions extends WorkloadOptions {
  readonly seed: number;
  readonly peer: string;
  /** Whichever comes first. */
  readonly untilMs: number;
  readonly untilCuts: number;
  readonly acts: Iterable<Act>;
  /** Ends the run before its time, with its books. */
  readonly signal?: AbortSignal;
  /** For runs of seconds. */
  readonly withoutWarmUp?: boolean;
  /** A line for people. */
  readonly say: (line: string) => void;
}

/**
 * Longer than a node may be kept waiting: what it sends meanwhile has to fit into the stream's
 * buffer of 256 KiB.
 */
const WHILE_QUIET: ReadonlySet<Act['kind']> = new Set([
  'long-blackhole',
  'stop-laptop',
  'stop-daemon',
]);
/** Longer than that nobody waits: a person steps in. */
const RECOVERY_MS = 60_000;
/** A peer's client and both nodes have to come back. */
const STEP_IN_MS = 120_000;
const STEP_IN_ATTEMPTS = 3;
const NODEDOWN_MS = 30_000;
const SAY_EVERY_MS = 30_000;
const WARM_UP_BINARIES = 2;
const WARM_UP_MS = 240_000;
const LOOK_EVERY_MS = 250;
const IN_USE_MS = 1_500;

export class Run {
  readonly #site: Site;
  readonly #peer: Peer;
  readonly #load: Workload;
  readonly #options: RunOptions;
  readonly #sabotage: Sabotage;
  readonly #record = new RunRecord();
  readonly #holdings: Holdings;
  /** Acts that nobody has waited for yet. */
  #pending: { act: Act; done: Done }[] = [];
  #last: Act | undefined;
  #interventions = 0;
  #warmUpBytes = 0;

  private constructor(parts: { site: Site; peer: Peer; load: Workload }, options: RunOptions) {
    this.#site = parts.site;
    this.#peer = parts.peer;
    this.#load = parts.load;
    this.#options = options;
    this.#holdings = new Holdings(parts.peer);
    this.#sabotage = new Sabotage(parts.site, parts.peer, parts.load.pids);
  }

  static async measure(
    site: Site,
    peer: Peer,
    leading: Leading,
    folder: string,
    options: RunOptions,
  ): Promise<Measured> {
    const load = await Workload.start(site, leading, folder, options);
    const run = new Run({ site, peer, load }, options);
    try {
      return await run.#whole();
    } finally {
      run.#sabotage.stop();
      await load.stop();
    }
  }

  async #whole(): Promise<Measured> {
    await this.#warmUp();
    const wireBefore = this.#site.path.passedBytes;
    const begunAt = Date.now();
    await this.#load.resetPauses();
    try {
      await this.#sabotageAll(begunAt);
    } catch (error) {
      this.#record.broken.push(`the run broke off: ${error}`);
    }
    this.#sabotage.stop();
    const pauses = await this.#load.pauses();
    const seconds = (Date.now() - begunAt) / 1_000;
    const holdings = await this.#holdingsAfter();
    await this.#load.settle();
    this.#noteLate();
    const books = await this.#load.arrived();
    const { handshakes } = this.#load;
    const { cuts, ends, resumes, falseNodedowns, broken } = this.#record;
    return {
      peer: this.#options.peer,
      seed: this.#options.seed,
      seconds,
      cuts,
      ends,
      resumes,
      pauses,
      books: { ...books, bytes: (books['bytes'] ?? 0) - this.#warmUpBytes },
      executed: await this.#load.executed(),
      handshakes: { begun: handshakes.begun, done: handshakes.done },
      failures: await this.#unexplainedFailures(),
      falseNodedowns,
      wireBytes: this.#site.path.passedBytes - wireBefore,
      restarts: this.#peer.restarts,
      interventions: this.#interventions,
      toldResumes: await this.#peer.resumes(),
      holdings,
      broken,
    };
  }

  async #warmUp(): Promise<void> {
    const deadline = Date.now() + WARM_UP_MS;
    const wanted = this.#options.withoutWarmUp === true ? 0 : WARM_UP_BINARIES;
    while (((await this.#load.books())['binary_done'] ?? 0) < wanted) {
      if (Date.now() > deadline) throw new Error('the binaries of the warm-up did not arrive');
      await pause(LOOK_EVERY_MS);
    }
    await this.#load.holdBulk();
    await this.#load.handshakes.stop();
    await pause(IN_USE_MS);
    this.#holdings.begin();
    this.#warmUpBytes = (await this.#load.books())['bytes'] ?? 0;
    this.#load.handshakes.start();
    await this.#load.releaseBulk();
    this.#load.takeNodedowns();
  }

  async #sabotageAll(begunAt: number): Promise<void> {
    const { acts, untilCuts, untilMs, signal, say } = this.#options;
    let saidAt = begunAt;
    let cuts = 0;
    for (const act of acts) {
      const isLate = Date.now() - begunAt >= untilMs || signal?.aborted === true;
      if (isLate || cuts >= untilCuts) break;
      await this.#one(act);
      if (!isEnd(act.kind)) cuts += 1;
      this.#holdings.note();
      if (Date.now() - saidAt < SAY_EVERY_MS) continue;
      saidAt = Date.now();
      say(`${Math.round((saidAt - begunAt) / 1_000)} s: ${cuts} cuts, act ${act.number}`);
    }
    await this.#recover();
  }

  async #one(act: Act): Promise<void> {
    const isLong = WHILE_QUIET.has(act.kind);
    if (isLong || isEnd(act.kind)) await this.#recover();
    if (isLong) await this.#load.quieten(true);
    const done = await this.#sabotage.perform(act);
    this.#last = act;
    this.#pending.push({ act, done });
    if (isEnd(act.kind)) await this.#expectEnd(act.kind, done);
    if (act.waits || isLong || isEnd(act.kind)) await this.#recover();
    if (isLong) await this.#load.quieten(false);
    await pause(act.thenMs);
  }

  /** Waits until a message goes there and back again, and notes how long that took. */
  async #recover(): Promise<void> {
    const last = this.#pending.at(-1);
    if (last === undefined) return;
    const { act, done } = last;
    const survived = await this.#resumed(act, done);
    const nodedowns = this.#load.takeNodedowns();
    const isClean = survived && nodedowns.length === 0;
    for (const one of nodedowns) this.#record.falseNodedowns.push({ ...one, act });
    for (const { act: each } of this.#pending) this.#record.count(each.kind, isClean);
    this.#pending = [];
  }

  async #resumed(act: Act, { begunAt, overAt }: Done): Promise<boolean> {
    try {
      const at = await this.#load.resumed(begunAt, overAt, RECOVERY_MS);
      if (!isEnd(act.kind)) this.#record.resumes.push({ act, ms: at - overAt });
      return true;
    } catch (error) {
      const why = String(error).slice(0, 500);
      this.#options.say(`act ${act.number} (${act.kind}) is not recovered from: ${why}`);
      this.#record.resumes.push({ act, ms: (await this.#stepIn(begunAt, overAt)) - overAt });
      return false;
    }
  }

  /** As a person would; when it came back. */
  async #stepIn(begunAt: number, overAt: number): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      this.#interventions += 1;
      await this.#peer.intervene();
      try {
        return await this.#load.resumed(begunAt, overAt, STEP_IN_MS);
      } catch (error) {
        if (attempt === STEP_IN_ATTEMPTS) throw error;
      }
    }
  }

  /** The nodedowns that follow from a real end, and no others. */
  async #expectEnd(kind: End, { begunAt }: Done): Promise<void> {
    const expected = new Set(this.#followFrom(kind));
    const deadline = Date.now() + NODEDOWN_MS;
    while (expected.size > 0 && Date.now() < deadline) {
      for (const one of this.#load.takeNodedowns()) {
        if (!expected.delete(`${one.at} ${one.of}`)) this.#unexpected(one);
      }
      await pause(LOOK_EVERY_MS);
    }
    if (expected.size > 0) {
      this.#record.broken.push(`no nodedown within 30 s of ${kind}: ${[...expected].join(', ')}`);
    }
    await this.#load.resumed(Date.now(), 0, STEP_IN_MS);
    this.#record.mayHaveCost(begunAt, Date.now());
  }

  #unexpected(one: Nodedown): void {
    const act = this.#pending.at(-1)?.act;
    if (act !== undefined) this.#record.falseNodedowns.push({ ...one, act });
  }

  /** Nodedowns when all acts had been recovered from. */
  #noteLate(): void {
    const act = this.#last;
    if (act === undefined) return;
    for (const one of this.#load.takeNodedowns()) {
      this.#record.falseNodedowns.push({ ...one, act });
    }
  }

  #followFrom(kind: End): string[] {
    const { me, beat } = this.#load;
    const { app, victim } = this.#site;
    const names = { me: me.name, beat: beat.name, app: app.name, victim: victim.name };
    return nodedownsAfter(kind, names, this.#peer.processes().agent.length > 0);
  }

  /** With nothing but the standing connections in use, as before. */
  async #holdingsAfter(): Promise<Measured['holdings']> {
    await this.#load.holdBulk();
    await this.#load.handshakes.stop();
    const holdings = await this.#holdings.end((name) =>
      this.#record.broken.push(`the ${name} has gone`),
    );
    await this.#load.releaseBulk();
    return holdings;
  }

  async #unexplainedFailures(): Promise<Failure[]> {
    const short = this.#load.handshakes.failures.map((one) => ({ what: 'handshake', ...one }));
    const all: Failure[] = [...(await this.#load.failures()), ...short];
    return this.#record.unexplained(all);
  }
}
