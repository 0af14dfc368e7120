import type { Socket } from 'node:net';
import type { Client, ClientCallback } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import { attempt } from '../../runtime/attempt.ts';
import type { Cancel, Clock } from '../../runtime/clock.ts';
import { CarrierLife } from '../carrier-life.ts';
import type { ExecRequest, RemoteProcess } from '../transport.ts';
import { ChannelPipe } from './channel-pipe.ts';
import { type ChannelRequest, type EarlyChannel, openChannel } from './early-channel.ts';
import { execRefusal, SshProcess } from './exec.ts';
import { LentPackets } from './lent-packets.ts';
import { type RefusedCode, refusal } from './refusal.ts';
import { watchSilence } from './silence.ts';

const CHANNEL_LIMIT_MS = 10_000;
/** How long the goodbye may take to leave. */
const CLOSE_LIMIT_MS = 1_000;

/** One authenticated SSH connection and the pipes on it. Its loss ends them all with PIPE_LOST. */
export class SshConnection {
  readonly label: string;
  readonly client: Client;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #life: CarrierLife;
  readonly #pipes = new Set<ChannelPipe>();
  readonly #stopWatch: Cancel;
  readonly #packets: LentPackets | undefined;
  readonly #early: EarlyChannel | undefined;
  #corked = false;

  /** The socket under the client, which has authenticated on it. `early`: asked for before that. */
  constructor(client: Client, socket: Socket, label: string, clock: Clock, early?: EarlyChannel) {
    this.client = client;
    this.#early = early;
    this.label = label;
    this.#socket = socket;
    this.#clock = clock;
    this.#life = new CarrierLife(label);
    client.on('error', (error) => this.#lost(error.message, error));
    client.once('end', () => this.#lost('the server closed it'));
    client.once('close', () => this.#lost('the server closed it'));
    socket.on('drain', () => {
      for (const pipe of this.#pipes) pipe.onRoom();
    });
    this.#stopWatch = watchSilence(
      () => socket.bytesRead,
      clock,
      (seconds) => this.#lost(`nothing was heard from it for ${seconds} s`),
    );
    this.#packets = LentPackets.begin(client, socket);
    if (socket.destroyed) this.#lost('the server closed it');
  }

  /** It broke, rather than that this end closed it. */
  get lost(): boolean {
    return this.#life.lost;
  }

  /** Bytes of all pipes that wait for the socket. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  onClosed(listener: (error: EpmuxError | undefined) => void): void {
    this.#life.onClosed(listener);
  }

  /**
   * A pipe to a port of the server's loopback; `refused` is the code for a port that nobody listens
   * on.
   */
  forward(port: number, refused: RefusedCode, signal: AbortSignal): Promise<ChannelPipe> {
    const label = `port ${port} behind ${this.label}`;
    return this.#open<ChannelPipe>(label, signal, (done) => {
      this.#channel({ kind: 'port', port }, (error, channel) =>
        done(error ? refusal(error, label, refused) : new ChannelPipe(channel, this, label)),
      );
    });
  }

  /** A process of the user that is logged in. */
  exec(request: ExecRequest, signal: AbortSignal): Promise<RemoteProcess> {
    const label = `a process behind ${this.label}`;
    return this.#open<RemoteProcess>(label, signal, (done) => {
      this.#channel({ kind: 'process', request }, (error, channel) =>
        done(error ? execRefusal(error, label) : new SshProcess(channel, this, label)),
      );
    });
  }

  /** All that is written in one turn of the event loop leaves as one. */
  cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  keep(pipe: ChannelPipe): void {
    this.#pipes.add(pipe);
  }

  forget(pipe: ChannelPipe): void {
    this.#pipes.delete(pipe);
  }

  took(chunk: Uint8Array): void {
    this.#packets?.took(chunk);
  }

  close(): void {
    if (!this.#end(undefined)) return;
    this.client.end();
    const cancel = this.#clock.wakeAt(this.#clock.now() + CLOSE_LIMIT_MS, () =>
      this.#socket.destroy(),
    );
    this.#socket.once('close', cancel);
  }

  #channel(request: ChannelRequest, opened: ClientCallback): void {
    if (this.#early?.give(request, opened) === true) return;
    openChannel(this.client, request, opened);
  }

  #open<T extends { close(): void }>(
    label: string,
    signal: AbortSignal,
    begin: (done: (opened: T | EpmuxError) => void) => void,
  ): Promise<T> {
    return this.#life.during(signal, (either) =>
      attempt<T>(
        {
          what: `opening ${label}`,
          signal: either,
          clock: this.#clock,
          limitMs: CHANNEL_LIMIT_MS,
          late: () => new EpmuxError('CONNECT_FAILED', `${label} was not opened within 10 s`),
        },
        ({ succeed, fail }) => {
          let abandoned = false;
          try {
            begin((opened) => {
              if (opened instanceof EpmuxError) fail(opened);
              else if (abandoned) opened.close();
              else succeed(opened);
            });
          } catch (cause) {
            fail(new EpmuxError('PIPE_LOST', `${this.label} is not connected`, { cause }));
          }
          return () => {
            abandoned = true;
          };
        },
      ),
    );
  }

  #lost(why: string, cause?: unknown): void {
    this.#end(
      new EpmuxError('PIPE_LOST', `the connection to ${this.label} broke: ${why}`, { cause }),
    );
    this.#socket.destroy();
  }

  #end(error: EpmuxError | undefined): boolean {
    if (!this.#life.end(error)) return false;
    this.#stopWatch();
    for (const pipe of this.#pipes) pipe.fail(this.#life.closedError());
    return true;
  }
}
