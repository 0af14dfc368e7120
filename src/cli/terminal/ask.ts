import { createInterface } from 'node:readline/promises';

/**
 * A yes-or-no question on the terminal; anything but y or yes is no, and so is the end of the
 * input.
 */
export async function askYesNo(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = new Promise<undefined>((resolve) => {
      terminal.once('close', () => resolve(undefined));
    });
    // readline keeps SIGINT to itself while it reads; hand it on to where all interrupts are
    // decided.
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await Promise.race([
      terminal.question(`${question} [y/N] `, { signal }),
      closed,
    ]);
    // Ctrl-D leaves the cursor behind the question.
    if (answer === undefined) process.stderr.write('\n');
    return /^\s*y(es)?\s*$/i.test(answer ?? '');
  } finally {
    terminal.close();
  }
}
