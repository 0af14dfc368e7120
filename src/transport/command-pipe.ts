import { once } from 'node:events';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { BytePipe, PipeHandlers } from '../runtime/pipe.ts';
import { pairPipe } from '../runtime/socket-pipe.ts';
import type { ProcessGroup } from './process-group.ts';
import { TailText } from './tail-text.ts';

const STDERR_LIMIT_BYTES = 4_096;
/** Of it, what stands in an error. */
const LINES_IN_ERROR = 4;
/** How long a command that closed its output may take to say its exit code. */
const EXIT_LIMIT_MS = 1_000;

export interface CommandPipeOptions {
  readonly label: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once, when the pipe is over. */
  onOver(): void;
}

/**
 * The stdio of a command. Where another pipe says PIPE_LOST, this one knows why: COMMAND_FAILED
 * with exit code and last words.
 */
export class CommandPipe implements BytePipe {
  readonly label: string;
  readonly #inner: BytePipe;
  readonly #group: ProcessGroup;
  readonly #options: CommandPipeOptions;
  readonly #stderr = new TailText(STDERR_LIMIT_BYTES);
  #closedFor: { readonly error: EpmuxError | undefined } | undefined;
  /** Settles when it is known what the end of its output means. */
  #ending: Promise<void> | undefined;
  #toldClosed = false;

  constructor(group: ProcessGroup, options: CommandPipeOptions) {
    const { stdin, stdout, stderr } = group.child;
    this.label = options.label;
    this.#options = options;
    this.#group = group;
    this.#inner = pairPipe(stdout, stdin, options.label);
    stderr.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    stderr.on('error', () => stderr.destroy());
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  start(handlers: PipeHandlers): void {
    this.#inner.start({
      onBytes: (chunk) => handlers.onBytes(chunk),
      onWritable: () => handlers.onWritable(),
      onEnd: () => {
        this.#ending = this.#ended(handlers);
      },
      onClosed: (error) => {
        this.#options.onOver();
        if (this.#ending === undefined) this.#closed(handlers, error);
        else void this.#ending.then(() => this.#closed(handlers, error));
      },
    });
  }

  write(chunk: Uint8Array): boolean {
    return this.#inner.write(chunk);
  }

  end(): void {
    this.#inner.end();
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(error?: EpmuxError): void {
    this.#shut(undefined, error);
  }

  /** Ends it from below: the owner is told this error. */
  fail(error: EpmuxError): void {
    this.#shut(error, error);
  }

  #shut(told: EpmuxError | undefined, reason: EpmuxError | undefined): void {
    this.#closedFor ??= { error: told };
    this.#options.onOver();
    this.#inner.close(reason);
    void this.#group.end();
  }

  /**
   * A command that failed closes its output too: that is no end in order. One that still runs may
   * go on with its input.
   */
  async #ended(handlers: PipeHandlers): Promise<void> {
    await this.#exited();
    if (this.#closedFor !== undefined) return;
    const { exitCode, signalCode } = this.#group.child;
    if (signalCode === null && (exitCode ?? 0) === 0) {
      handlers.onEnd();
      return;
    }
    const cause = new EpmuxError('PIPE_LOST', `the connection to ${this.label} broke: it ended`);
    this.#shut(this.#failure(cause), undefined);
  }

  #closed(handlers: PipeHandlers, error: EpmuxError | undefined): void {
    if (this.#closedFor !== undefined) this.#tellClosed(handlers, this.#closedFor.error);
    else if (error === undefined) this.#endedInOrder(handlers);
    else void this.#lost(handlers, error);
  }

  /** Both directions are at their end, and so is the command, or nearly. */
  #endedInOrder(handlers: PipeHandlers): void {
    void this.#exited().then(() => this.#group.end());
    this.#tellClosed(handlers, undefined);
  }

  async #lost(handlers: PipeHandlers, cause: EpmuxError): Promise<void> {
    await this.#exited();
    void this.#group.end();
    const error = this.#failure(cause);
    this.#tellClosed(handlers, this.#closedFor === undefined ? error : this.#closedFor.error);
  }

  #tellClosed(handlers: PipeHandlers, error: EpmuxError | undefined): void {
    if (this.#toldClosed) return;
    this.#toldClosed = true;
    handlers.onClosed(error);
  }

  /** Its end with all of stderr, or the limit. */
  async #exited(): Promise<void> {
    const { child } = this.#group;
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended && child.stderr.closed) return;
    const { clock } = this.#options;
    const limit = new AbortController();
    const cancel = clock.wakeAt(clock.now() + EXIT_LIMIT_MS, () => limit.abort());
    await once(child, 'close', { signal: limit.signal }).catch(() => undefined);
    cancel();
  }

  #failure(cause: EpmuxError): EpmuxError {
    const { exitCode, signalCode } = this.#group.child;
    const how =
      exitCode !== null
        ? `ended with code ${exitCode}`
        : signalCode !== null
          ? `was ended by ${signalCode}`
          : 'closed its stdin or stdout and still runs';
    const words = this.#stderr.lines(Number.POSITIVE_INFINITY);
    this.#options.logger.warn('the command of a tunnel failed', {
      target: this.label,
      how,
      stderr: words.join('\n'),
    });
    const said = words.length === 0 ? '' : `: ${words.slice(-LINES_IN_ERROR).join(' / ')}`;
    return new EpmuxError('COMMAND_FAILED', `the command ${how}${said}`, { cause });
  }
}
