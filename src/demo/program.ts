import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EpmuxError } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';

const STOP_MS = 3_000;
const KEPT_LINES = 50;
/** Follows the line that says what went wrong. */
const HINT = 'hint: ';
const KEPT_LINE_CHARS = 500;

export interface ProgramOptions {
  /** For errors: `the agent`. */
  readonly title: string;
  readonly command: readonly [file: string, ...args: string[]];
  readonly env: Environment;
}

/**
 * A process of the demo's own. It hears no Ctrl-C of the terminal, and ends with `stop` or with
 * this process.
 */
export interface Program {
  /**
   * The first line it prints (to stdout or stderr) that matches; a line is given once. Fails with
   * TIMEOUT, with INTERRUPTED, or with DEMO_FAILED when the program ends first.
   */
  line(pattern: RegExp, timeoutMs: number, interrupted: AbortSignal): Promise<RegExpExecArray>;
  /** Throws DEMO_FAILED, with what it printed last, when it has ended. */
  assertRuns(): void;
  /** A line to its stdin. */
  send(line: string): void;
  /** Ends it if it still runs; idempotent. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startProgram({ title, command: [file, ...args], env }: ProgramOptions): Program {
  const child = spawn(file, args, { env: { ...env }, stdio: 'pipe', detached: true });
  const lines = new Lines(child.stdout, child.stderr);
  let end: string | undefined;
  running.add(child);
  const over = (how: string): void => {
    running.delete(child);
    end ??= how;
    lines.news.emit('news');
  };
  const assertRuns = (): void => {
    if (end === undefined) return;
    throw new EpmuxError('DEMO_FAILED', `${title} ended (${end}): ${lines.last()}`);
  };
  // `close` comes when all output has been read, `error` alone when it never ran.
  child.once('error', (error) => over(error.message));
  child.once('close', (code, signal) => over(`exit ${code ?? signal}`));
  // A program that has gone is told by `close`.
  child.stdin.on('error', () => {});

  return {
    async line(pattern, timeoutMs, interrupted) {
      const signal = AbortSignal.any([interrupted, AbortSignal.timeout(timeoutMs)]);
      for (;;) {
        const found = lines.take(pattern);
        if (found !== undefined) return found;
        assertRuns();
        await once(lines.news, 'news', { signal }).catch(() => {
          throw interrupted.aborted
            ? new EpmuxError('INTERRUPTED', 'interrupted')
            : new EpmuxError('TIMEOUT', `${title} took more than ${timeoutMs} ms: ${lines.last()}`);
        });
      }
    },
    assertRuns,
    send: (line) => void child.stdin.write(`${line}\n`),
    async stop() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        // A node ends with its stdin at once, and by the signal after a second.
        child.stdin.end();
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        await exited;
        clearTimeout(timer);
      }
      // Whoever inherited them, such as a helper of the program's, does not hold the demo up.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    },
  };
}

/** The last lines of a program's output that nobody has asked for yet. */
class Lines {
  readonly news = new EventEmitter();
  readonly #lines: string[] = [];
  #last = 'without a word';

  constructor(...streams: readonly Readable[]) {
    for (const input of streams) {
      createInterface({ input }).on('line', (line) => this.#push(line.slice(0, KEPT_LINE_CHARS)));
    }
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    for (const [at, line] of this.#lines.entries()) {
      const found = pattern.exec(line);
      if (found === null) continue;
      this.#lines.splice(at, 1);
      return found;
    }
    return undefined;
  }

  last(): string {
    return this.#last;
  }

  #push(line: string): void {
    if (line.trim() === '') return;
    if (!line.startsWith(HINT)) this.#last = line;
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    this.news.emit('news');
  }
}
