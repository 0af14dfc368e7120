import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import type { ReadStream } from 'node:tty';
import { EpmuxError } from '../../protocol/errors.ts';
import { deferred } from '../../runtime/wait.ts';
import type { ProcessExit, RemoteProcess } from '../../transport/transport.ts';
import type { Io } from '../io.ts';
import { flushed } from '../output.ts';
import { type EnvironmentPlan, MarkerWatch } from './environment.ts';

export interface LocalOptions {
  /** The remote process has a terminal. */
  readonly terminal: boolean;
  readonly environment: EnvironmentPlan | undefined;
}

/**
 * How long a remote process may take to end once it was told to, and the reader of stdout to read
 * what came; a second signal ends the wait.
 */
const ENDING_MS = 3_000;
/** How long a terminal may take until it is ready for the variables. */
const READY_MS = 15_000;
const HANDED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
type HandedOn = (typeof HANDED_ON)[number];
/** Ctrl-D: a terminal knows no other end. */
const END_OF_INPUT = 0x04;
const NEWLINE = 0x0a;

/**
 * Joins a remote process with this one's stdin, stdout, stderr, terminal and signals, and gives its
 * exit code, 128+n for a signal.
 */
export async function runHere(
  remote: RemoteProcess,
  options: LocalOptions,
  io: Io,
): Promise<number> {
  const release = io.holdInterrupts();
  const session = new LocalSession(remote, options, io);
  try {
    return await session.run();
  } finally {
    session.close();
    release();
  }
}

class LocalSession {
  readonly #remote: RemoteProcess;
  readonly #options: LocalOptions;
  readonly #io: Pick<Io, 'giveUpOutput' | 'outputGivenUp'>;
  readonly #marker: MarkerWatch | undefined;
  readonly #undo: (() => void)[] = [];
  readonly #full = new Set<NodeJS.WriteStream>();
  #lastByte = NEWLINE;
  #ending: HandedOn | undefined;
  readonly #over = deferred<EpmuxError | undefined>();
  #cancelReady: () => void = () => {};

  constructor(remote: RemoteProcess, options: LocalOptions, io: Io) {
    this.#remote = remote;
    this.#options = options;
    this.#io = io;
    const marker = options.environment?.marker;
    this.#marker = marker && new MarkerWatch(marker);
  }

  async run(): Promise<number> {
    this.#handSignalsOn();
    this.#takeOutput();
    if (this.#marker === undefined) this.#begin();
    else this.#awaitReady();
    const error = await this.#over.promise;
    this.#remote.close();
    const exit = await this.#remote.exited;
    await flushed(this.#io.outputGivenUp);
    if (this.#ending !== undefined) return 128 + constants.signals[this.#ending];
    if (error !== undefined) throw error;
    return exitCode(exit);
  }

  close(): void {
    this.#remote.close();
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #begin(): void {
    const { environment, terminal } = this.#options;
    if (environment !== undefined) this.#remote.io.write(environment.payload);
    if (terminal) this.#takeTerminal();
    this.#sendInput();
  }

  #awaitReady(): void {
    const late = () =>
      this.#over.resolve(new EpmuxError('TIMEOUT', 'no shell was ready there within 15 s'));
    const timer = setTimeout(late, READY_MS);
    this.#cancelReady = () => clearTimeout(timer);
    this.#undo.push(() => clearTimeout(timer));
  }

  #takeOutput(): void {
    const { io } = this.#remote;
    const write = (stream: NodeJS.WriteStream, chunk: Uint8Array): void => {
      // Of stderr: of stdout it ends the command.
      const isBroken = stream.errored !== null;
      if (chunk.length === 0 || isBroken || stream.write(chunk) || this.#full.has(stream)) return;
      this.#full.add(stream);
      io.pause();
      const goOn = (): void => {
        stream.off('drain', goOn).off('error', goOn);
        this.#full.delete(stream);
        if (this.#full.size === 0) io.resume();
      };
      stream.on('drain', goOn).on('error', goOn);
    };
    this.#remote.onStderr((chunk) => write(process.stderr, chunk));
    io.start({
      onBytes: (chunk) => {
        if (this.#marker === undefined || this.#marker.found) {
          write(process.stdout, chunk);
          return;
        }
        write(process.stdout, this.#marker.pass(chunk));
        if (this.#marker.found) {
          this.#cancelReady();
          this.#begin();
        }
      },
      onWritable: () => process.stdin.resume(),
      onEnd: () => {},
      onClosed: (error) => {
        write(process.stdout, this.#marker?.rest() ?? Buffer.alloc(0));
        this.#over.resolve(error && lost(error));
      },
    });
  }

  #sendInput(): void {
    const { io } = this.#remote;
    const { stdin } = process;
    const onData = (chunk: Uint8Array): void => {
      this.#lastByte = chunk.at(-1) ?? this.#lastByte;
      if (!io.write(chunk)) stdin.pause();
    };
    const onEnd = (): void => {
      if (!this.#options.terminal) io.end();
      // In the middle of a line the first one only hands the line over.
      else io.write(Buffer.alloc(this.#lastByte === NEWLINE ? 1 : 2, END_OF_INPUT));
    };
    const onError = (cause: Error): void =>
      this.#over.resolve(
        new EpmuxError('USAGE', `stdin can't be read: ${cause.message}`, { cause }),
      );
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.on('error', onError);
    this.#undo.push(() => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
    });
  }

  /** Every key goes there, also Ctrl-C, Ctrl-Z and Ctrl-\. */
  #takeTerminal(): void {
    const { stdin, stdout } = process;
    const resize = (): void => {
      if (stdout.isTTY) this.#remote.resize(stdout.columns, stdout.rows);
    };
    stdout.on('resize', resize);
    this.#undo.push(() => stdout.off('resize', resize));
    if (!stdin.isTTY) return;
    setRaw(stdin, true);
    // Whoever stopped and continued this process may have set the terminal up anew.
    const again = (): void => {
      setRaw(stdin, false);
      setRaw(stdin, true);
      resize();
    };
    const restore = (): void => setRaw(stdin, false);
    process.on('SIGCONT', again);
    process.on('exit', restore);
    this.#undo.push(() => {
      process.off('SIGCONT', again);
      process.off('exit', restore);
      restore();
    });
  }

  #handSignalsOn(): void {
    for (const name of HANDED_ON) {
      const handOn = (): void => this.#onSignal(name);
      process.on(name, handOn);
      this.#undo.push(() => process.off(name, handOn));
    }
  }

  /** With a terminal it is the terminal that goes, as when its window is closed. */
  #onSignal(name: HandedOn): void {
    if (this.#ending !== undefined) {
      this.#giveUp();
      return;
    }
    this.#ending = name;
    const timer = setTimeout(() => this.#giveUp(), ENDING_MS);
    this.#undo.push(() => clearTimeout(timer));
    if (this.#options.terminal) this.#remote.close();
    else this.#remote.signal(name);
  }

  #giveUp(): void {
    this.#remote.close();
    this.#io.giveUpOutput();
  }
}

/** A terminal that is gone by now can't be set, and needs not be. */
function setRaw(terminal: ReadStream, raw: boolean): void {
  try {
    terminal.setRawMode(raw);
  } catch (error) {
    if (raw) throw error;
  }
  // Node's raw mode still adds a CR before each LF of the output, which full-screen programs move
  // the cursor by. What it restores includes this.
  if (raw) spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

function exitCode({ code, signal }: ProcessExit): number {
  if (code !== undefined) return code;
  const number: number | undefined = constants.signals[signal as NodeJS.Signals];
  return 128 + (number ?? 0);
}

function lost(error: EpmuxError): EpmuxError {
  if (error.code !== 'PIPE_LOST') return error;
  return error.with({ hint: 'the command may go on there: look before you run it again' });
}
