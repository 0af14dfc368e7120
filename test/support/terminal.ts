/** A program in a terminal of its own, by util-linux' script(1). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { WAIT_MS, within } from './erlang-process.ts';

export interface Terminal {
  /** What was on the screen, and the exit code. */
  readonly ended: Promise<{ readonly code: number | null; readonly said: string }>;
  write(text: string): void;
  /** Called with everything said so far, each time that there is more. */
  onOutput(take: (said: string) => void): void;
}

export interface TerminalOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

export function inTerminal(argv: readonly string[], options: TerminalOptions): Terminal {
  const { cwd, env, limitMs = WAIT_MS } = options;
  // Without exec a shell may stay between: Ctrl-C ends it too, and its code hides ours.
  const command = ['exec', ...argv.map((word) => `'${word}'`)].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd, env });
  let said = '';
  const ended = within(once(child, 'close'), () => said, limitMs)
    .then(([code]) => ({ code: code as number | null, said }))
    // The terminal goes away under a shell that stays, which ends with it.
    .finally(() => child.kill('SIGKILL'));
  return {
    ended,
    write: (text) => void child.stdin.write(text),
    onOutput(take) {
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
        take(said);
      });
    },
  };
}

/** One after the other: `text` is typed once `after` is seen, behind what was typed before. */
export interface Keys {
  readonly after: RegExp;
  readonly text: string;
}

export function type(terminal: Terminal, keys: readonly Keys[]): void {
  const rest = [...keys];
  let seen = 0;
  terminal.onOutput((said) => {
    const [next] = rest;
    if (next === undefined || !next.after.test(said.slice(seen))) return;
    rest.shift();
    seen = said.length;
    terminal.write(next.text);
  });
}
