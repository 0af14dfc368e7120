import { EpmuxError } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';
import type { EarlyDaemon, HerokuQuestions } from './early.ts';
import { Interrupts } from './interrupts.ts';
import { isStylish, type Paint, paintFor } from './terminal/style.ts';

/** What a command may touch of the process it runs in: results, talk, a person, signals. */
export interface Io {
  readonly env: Environment;
  /** Throws USAGE where the folder is gone. */
  readonly cwd: string;
  /** Writes a result to stdout, with a line end. */
  out(text: string): void;
  /** Writes bytes to stdout as they are. */
  outBytes(bytes: Uint8Array): void;
  /** Writes talk to stderr, with a line end. */
  talk(text: string): void;
  readonly outIsTerminal: boolean;
  /** Both stdin and stdout are a terminal: a shell can run there. */
  readonly onTerminal: boolean;
  /** A person sits there who can be asked and who reads the talk. */
  readonly interactive: boolean;
  /** Spinners are welcome on stderr. */
  readonly lively: boolean;
  readonly paintOut: Paint;
  readonly paintTalk: Paint;
  /** Aborted at SIGINT, SIGTERM or SIGHUP, unless they are held. */
  readonly interrupted: AbortSignal;
  /** As in Interrupts. */
  heededBy<T>(work: Promise<T>): Promise<T>;
  /** As in Interrupts. */
  heeded(): Promise<void>;
  /** What the command exits with once it is interrupted; undefined before. */
  readonly interruptedExit: number | undefined;
  /**
   * From here until the returned function is called these signals are the caller's, or its child's,
   * to deal with.
   */
  holdInterrupts(): () => void;
  /** Nobody has to read what was printed: the end waits for it no longer. */
  giveUpOutput(): void;
  /** Aborted by that. */
  readonly outputGivenUp: AbortSignal;
  /** The width to lay text out for. */
  readonly columns: number;
  /** Lines of the terminal that stdout is; undefined where nobody knows. */
  readonly rows: number | undefined;
  /** On its way for this command. */
  readonly earlyDaemon?: EarlyDaemon | undefined;
  /** Asked for this command before it was read. */
  readonly herokuQuestions?: HerokuQuestions | undefined;
}

export interface ProcessIo extends Io {
  herokuQuestions?: HerokuQuestions | undefined;
}

export function processIo(
  earlyDaemon?: EarlyDaemon,
  interrupts: Interrupts = new Interrupts(),
): ProcessIo {
  const { env, stdin, stdout, stderr } = process;
  const output = new AbortController();
  return {
    env,
    get cwd() {
      return workingFolder();
    },
    out: (text) => void stdout.write(`${text}\n`),
    outBytes: (bytes) => void stdout.write(bytes),
    talk: (text) => void stderr.write(`${text}\n`),
    outIsTerminal: stdout.isTTY === true,
    onTerminal: stdin.isTTY === true && stdout.isTTY === true,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    lively: isStylish(stderr, env),
    paintOut: paintFor(stdout, env),
    paintTalk: paintFor(stderr, env),
    interrupted: interrupts.interrupted,
    heededBy: (work) => interrupts.heededBy(work),
    heeded: () => interrupts.heeded(),
    get interruptedExit() {
      return interrupts.exitCode;
    },
    holdInterrupts: () => interrupts.hold(),
    giveUpOutput: () => output.abort(),
    outputGivenUp: output.signal,
    columns: stdout.columns ?? 80,
    get rows() {
      return stdout.rows || undefined;
    },
    earlyDaemon,
  };
}

function workingFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new EpmuxError('USAGE', 'the working folder is not there any more', {
      cause,
      hint: 'change to a folder that is there',
    });
  }
}
