/** What a run came to: figures, and whether every promise was kept. */
import type { Held } from './holdings.ts';
import type { Act, Cut, End } from './schedule.ts';
import type { Books, Failure, Nodedown } from './workload.ts';

export interface Tally {
  made: number;
  survived: number;
}

export interface Resume {
  readonly act: Act;
  /** From when nothing stands in the way any more to the first message there and back. */
  readonly ms: number;
}

export interface Measured {
  readonly peer: string;
  readonly seed: number;
  readonly seconds: number;
  readonly cuts: ReadonlyMap<Cut, Tally>;
  readonly ends: ReadonlyMap<End, Tally>;
  readonly resumes: readonly Resume[];
  readonly pauses: { readonly longest: number; readonly silent: number };
  readonly books: Books;
  readonly executed: { readonly ran: number; readonly doubled: number };
  readonly handshakes: { readonly begun: number; readonly done: number };
  /** None of them overlaps a real end. */
  readonly failures: readonly Failure[];
  readonly falseNodedowns: readonly (Nodedown & { readonly act: Act })[];
  readonly wireBytes: number;
  readonly restarts: number;
  readonly interventions: number;
  /** Of the peer's own telling. */
  readonly toldResumes: number | undefined;
  readonly holdings: ReadonlyMap<string, Held>;
  /** What went wrong beyond all that. */
  readonly broken: readonly string[];
}

/** A process may keep this much more than before: what its allocator has not given back. */
const RSS_SLACK_BYTES = 96 * 1024 * 1024;
const SHOWN_FAILURES = 5;
const SHOWN_SLOWEST = 5;

export interface Scorecard {
  readonly passed: boolean;
  readonly verdict: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
}

export function scorecard(measured: Measured): Scorecard {
  const verdict = judge(measured);
  return { passed: verdict.length === 0, verdict, figures: figuresOf(measured) };
}

function figuresOf(measured: Measured): Scorecard['figures'] {
  const { books, resumes, holdings } = measured;
  const resumeMs = resumes.map(({ ms }) => ms);
  const figure = (name: string): number => books[name] ?? 0;
  const cuts = sum(measured.cuts);
  return {
    peer: measured.peer,
    seed: measured.seed,
    minutes: round(measured.seconds / 60),
    cuts: cuts.made,
    cutsSurvived: cuts.survived,
    cutsByKind: Object.fromEntries(measured.cuts),
    ends: Object.fromEntries(measured.ends),
    falseNodedowns: measured.falseNodedowns.length,
    resumeP50Ms: percentile(resumeMs, 50),
    resumeP95Ms: percentile(resumeMs, 95),
    resumeP99Ms: percentile(resumeMs, 99),
    longestPauseMs: measured.pauses.longest,
    silentSeconds: round(measured.pauses.silent / 1_000),
    calls: figure('call_done'),
    callsFailed: failedOf(measured, 'call'),
    callsRunTwice: measured.executed.doubled,
    messages: figure('sent'),
    messagesLost: lost(measured),
    messagesDoubled: figure('doubled'),
    messagesReordered: figure('reordered'),
    corrupted: figure('corrupted') + figure('wrong'),
    binaries: figure('binary_done'),
    binariesFailed: failedOf(measured, 'binary'),
    shortStreams: measured.handshakes.done,
    shortStreamsFailed: failedOf(measured, 'handshake'),
    payloadBytes: figure('bytes'),
    wireBytes: measured.wireBytes,
    restarts: measured.restarts,
    interventions: measured.interventions,
    ...(measured.toldResumes === undefined ? {} : { resumes: measured.toldResumes }),
    slowest: slowest(resumes),
    processes: Object.fromEntries(holdings),
  };
}

function judge(measured: Measured): string[] {
  const { books, ends, holdings, falseNodedowns } = measured;
  const wrong: string[] = [...measured.broken];
  const none = (count: number, what: string): void => {
    if (count !== 0) wrong.push(`${count} ${what}`);
  };
  for (const [kind, { made, survived }] of [...measured.cuts, ...ends]) {
    none(made - survived, `of ${made} × ${kind} not recovered from`);
  }
  none(falseNodedowns.length, 'nodedowns though nothing had ended');
  for (const { at, of, reason, act } of falseNodedowns.slice(0, SHOWN_FAILURES)) {
    wrong.push(`  after act ${act.number} (${act.kind}): ${at} lost ${of}, ${reason}`);
  }
  none(lost(measured), 'messages lost');
  none(books['doubled'] ?? 0, 'messages doubled');
  none(books['reordered'] ?? 0, 'messages reordered');
  none((books['corrupted'] ?? 0) + (books['wrong'] ?? 0), 'answers or messages changed on the way');
  none(measured.executed.doubled, 'calls run more than once');
  none(measured.failures.length, 'calls, binaries or short streams failed');
  for (const { what, begunAt, failedAt, why } of measured.failures.slice(0, SHOWN_FAILURES)) {
    const at = new Date(failedAt).toISOString();
    wrong.push(`  ${what} at ${at}, after ${failedAt - begunAt} ms: ${why.slice(0, 200)}`);
  }
  for (const [name, { before, after }] of holdings) {
    none(Math.max(0, after.descriptors - before.descriptors), `descriptors more in the ${name}`);
    const grown = after.rssBytes - before.rssBytes;
    if (grown > RSS_SLACK_BYTES) wrong.push(`${mib(grown)} MiB more in the ${name}`);
  }
  return wrong;
}

/**
 * Left out in the middle and never seen, and those at the end. What goes in a nodedown is excused
 * where every nodedown followed from a real end.
 */
function lost({ books, ends, falseNodedowns }: Measured): number {
  const figure = (name: string): number => books[name] ?? 0;
  const arrived = figure('received') + figure('lost') + figure('lost_in_nodedowns');
  const missing = figure('lost') - figure('reordered') + Math.max(0, figure('sent') - arrived);
  const isExcused = ends.size > 0 && falseNodedowns.length === 0;
  return isExcused ? missing : missing + figure('lost_in_nodedowns');
}

function failedOf({ failures }: Measured, what: string): number {
  return failures.filter((failure) => failure.what === what).length;
}

function sum(tallies: ReadonlyMap<string, Tally>): Tally {
  const total = { made: 0, survived: 0 };
  for (const { made, survived } of tallies.values()) {
    total.made += made;
    total.survived += survived;
  }
  return total;
}

function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? null;
}

function slowest(resumes: readonly Resume[]): Readonly<Record<string, string>> {
  const first = [...resumes].sort((a, b) => b.ms - a.ms).slice(0, SHOWN_SLOWEST);
  return Object.fromEntries(
    first.map(({ act, ms }) => [`act ${act.number}`, `${act.kind} ${act.lastsMs} ms: ${ms} ms`]),
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function mib(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}

/** For people. */
export function asText({ passed, verdict, figures }: Scorecard): string {
  const lines = Object.entries(figures).flatMap(([name, value]) =>
    isRecord(value)
      ? [name, ...Object.entries(value).map(([key, inner]) => row(`  ${key}`, inner))]
      : [row(name, value)],
  );
  const said = passed ? ['verdict: every promise kept'] : ['verdict: NOT KEPT', ...verdict];
  return `${[...lines, ...said].join('\n')}\n`;
}

function row(name: string, value: unknown): string {
  const shown = isRecord(value) ? inWords(value) : String(value ?? '–');
  return `${name.padEnd(24)} ${shown}`;
}

function inWords(value: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(value).map(
    ([key, inner]) => `${key} ${isRecord(inner) ? `(${inWords(inner)})` : inner}`,
  );
  return parts.join(', ');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
