import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { VERSION } from '../runtime/version.ts';
import type { DaemonPaths } from './paths.ts';
import type { Redactor } from './redact.ts';

const KEPT = 5;
const MAX_REPORT_BYTES = 262_144;
const TAIL_BYTES = 16_384;
const LOG_LINES = 50;
const STDERR_LINES = 20;
const REPORT_NAME = /^\d{4}-\d\d-\d\dT[\d.-]+Z-(\d+)\.json$/;

/** What has happened to a worker. Times are in ms since the epoch. */
export interface Crash {
  readonly pid: number;
  readonly reason: string;
  readonly startedAt: number | undefined;
  readonly at: number;
  /** Of an error that nothing caught. */
  readonly stack?: string;
}

/** The newest report, as `status` tells of it. */
export interface CrashStatus {
  /** ISO 8601. */
  readonly at: string;
  readonly reason: string;
  /** The report's file. */
  readonly report: string;
}

/** The last lines of a file; none when it can't be read. */
function tail(path: string, lines: number): readonly string[] {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').trimEnd().split('\n').slice(-lines);
  } catch {
    return [];
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Oldest first. */
function reports(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => REPORT_NAME.test(name))
      .sort();
  } catch {
    return [];
  }
}

/**
 * Writes a report of 0600 and keeps the last five. Whatever it holds passes the redactor. Gives the
 * file, or undefined when it could not be written: a full disk must not make a crash worse.
 */
export function reportCrash(
  paths: Pick<DaemonPaths, 'crashesDir' | 'logFile' | 'stderrFile'>,
  crash: Crash,
  redactor: Redactor,
): string | undefined {
  const { pid, reason, startedAt, at, stack } = crash;
  const clean = (text: string) => redactor.text(text);
  const report = {
    at: new Date(at).toISOString(),
    startedAt: startedAt === undefined ? null : new Date(startedAt).toISOString(),
    reason: clean(reason),
    pid,
    version: VERSION,
    node: process.version,
    ...(stack === undefined ? {} : { stack: clean(stack) }),
    log: tail(paths.logFile, LOG_LINES).map(clean),
    stderr: tail(paths.stderrFile, STDERR_LINES).map(clean),
  };
  const file = join(paths.crashesDir, `${report.at.replaceAll(':', '-')}-${pid}.json`);
  try {
    mkdirSync(paths.crashesDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
    // Where the clock was set back the new one is not the last by its name.
    const others = reports(paths.crashesDir).filter((name) => name !== basename(file));
    for (const old of others.slice(0, Math.max(0, others.length - KEPT + 1))) {
      rmSync(join(paths.crashesDir, old), { force: true });
    }
    return file;
  } catch {
    return undefined;
  }
}

/**
 * Whether this process, which was started at `since` (ms since the epoch), has left a report of its
 * own.
 */
export function hasReported(folder: string, pid: number, since: number): boolean {
  const last = reports(folder)
    .filter((name) => REPORT_NAME.exec(name)?.[1] === String(pid))
    .at(-1);
  return last !== undefined && statusOf(folder, last, (at) => at >= since) !== undefined;
}

/** Null: there has been none, or what there is can't be read. */
export function lastCrash(folder: string): CrashStatus | null {
  const last = reports(folder).at(-1);
  return (last === undefined ? undefined : statusOf(folder, last, () => true)) ?? null;
}

function statusOf(
  folder: string,
  name: string,
  isWanted: (at: number) => boolean,
): CrashStatus | undefined {
  const report = join(folder, name);
  try {
    const text = readFileSync(report, 'utf8').slice(0, MAX_REPORT_BYTES);
    const { at, reason } = JSON.parse(text) as Partial<Record<string, unknown>>;
    if (typeof at !== 'string' || typeof reason !== 'string') return undefined;
    return isWanted(Date.parse(at)) ? { at, reason, report } : undefined;
  } catch {
    return undefined;
  }
}
