/** Makes the load, in a process of its own: takes one command after the other by IPC. */
import { connect, type Socket } from 'node:net';
import type { Answer, Command, Request } from './commands.ts';
import { CHUNK, ENDLESS, encodeHeader } from './wire.ts';

const scratch = Buffer.allocUnsafe(256 * 1024);
const CONNECTING_AT_ONCE = 64;

/** What a connection brings goes to `onBytes`, as a count. */
interface Line {
  readonly socket: Socket;
  onBytes: (count: number) => void;
}

const held: Line[] = [];
let bulk: { readonly lines: Line[]; bytes: number } | undefined;

function dial(port: number): Promise<Line> {
  return new Promise((resolve, reject) => {
    const line: Line = {
      onBytes: () => {},
      socket: connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer: scratch,
          callback: (count) => {
            line.onBytes(count);
            return true;
          },
        },
      }),
    };
    line.socket.once('connect', () => resolve(line)).on('error', reject);
  });
}

function dialMany(port: number, count: number): Promise<Line[]> {
  return Promise.all(Array.from({ length: count }, () => dial(port)));
}

/** Resolves when so many bytes have come. */
function received(line: Line, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    line.onBytes = (count) => {
      left -= count;
      if (left <= 0) resolve();
    };
    line.socket.once('close', () => reject(new Error('the way closed the connection')));
  });
}

function send(line: Line, bytes: number, onSent?: (bytes: number) => void): void {
  let left = bytes;
  const pump = (): void => {
    while (left > 0) {
      const piece = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
      left -= piece.length;
      onSent?.(piece.length);
      if (!line.socket.write(piece)) return;
    }
  };
  line.socket.on('drain', pump);
  pump();
}

/** Seconds from the first byte asked for to the last one that arrived. */
async function transfer({ port, streams, bytes, direction }: Command<'transfer'>): Promise<number> {
  const lines = await dialMany(port, streams);
  held.push(...lines);
  const started = performance.now();
  const share = Math.ceil(bytes / streams);
  const up = direction === 'up';
  const done = lines.map((line) => received(line, up ? 1 : share));
  for (const line of lines) {
    line.socket.write(encodeHeader(up ? 'sink' : 'source', share));
    if (up) send(line, share);
  }
  await Promise.all(done);
  return (performance.now() - started) / 1_000;
}

async function startBulk({ port, streams, direction }: Command<'startBulk'>): Promise<void> {
  const lines = await dialMany(port, streams);
  const started = { lines, bytes: 0 };
  bulk = started;
  for (const line of lines) {
    const count = (bytes: number): void => {
      started.bytes += bytes;
    };
    line.socket.removeAllListeners('error').on('error', () => {});
    line.onBytes = direction === 'down' ? count : () => {};
    line.socket.write(encodeHeader(direction === 'down' ? 'source' : 'sink', ENDLESS));
    if (direction === 'up') send(line, ENDLESS, count);
  }
}

async function bulkBytes(): Promise<number> {
  return bulk?.bytes ?? 0;
}

async function stopBulk(): Promise<void> {
  await close(bulk?.lines ?? []);
  bulk = undefined;
}

/** However slow they are: fewer would be no median. */
const MIN_ROUND_TRIPS = 10;

/** Milliseconds of one byte there and back, one after the other. */
async function roundTrips({
  port,
  count,
  warmUp,
  forMs,
}: Command<'roundTrips'>): Promise<number[]> {
  const line = await dial(port);
  line.socket.write(encodeHeader('echo'));
  const byte = Buffer.from('x');
  const times: number[] = [];
  const begun = performance.now();
  await new Promise<void>((resolve, reject) => {
    let sentAt = 0;
    let warmUpLeft = warmUp;
    const next = (): void => {
      sentAt = performance.now();
      line.socket.write(byte);
    };
    line.onBytes = () => {
      const now = performance.now();
      // Beside bulk a way may take a third of a second for each.
      if (warmUpLeft > 0 && now < begun + forMs / 2) warmUpLeft -= 1;
      else times.push(now - sentAt);
      const isTimeUp = now >= begun + forMs && times.length >= MIN_ROUND_TRIPS;
      if (times.length < count && !isTimeUp) next();
      else resolve();
    };
    line.socket.once('close', () => reject(new Error('the way closed the connection')));
    next();
  });
  await close([line]);
  return times;
}

/** Milliseconds from the wish to connect to the first byte back, one after the other. */
async function open({ port, count }: Command<'open'>): Promise<number[]> {
  const times: number[] = [];
  const hello = Buffer.concat([encodeHeader('echo'), Buffer.from('x')]);
  while (times.length < count) {
    const started = performance.now();
    const line = await dial(port);
    const back = received(line, 1);
    line.socket.write(hello);
    await back;
    times.push(performance.now() - started);
    await close([line]);
  }
  return times;
}

/** Opens so many more streams and leaves them open; each has carried one byte both ways. */
async function hold({ port, count }: Command<'hold'>): Promise<void> {
  const hello = Buffer.concat([encodeHeader('echo'), Buffer.from('x')]);
  for (let made = 0; made < count; made += CONNECTING_AT_ONCE) {
    const lines = await dialMany(port, Math.min(CONNECTING_AT_ONCE, count - made));
    held.push(...lines);
    const back = lines.map((line) => received(line, 1));
    for (const line of lines) line.socket.write(hello);
    await Promise.all(back);
  }
}

async function release(): Promise<void> {
  await close(held.splice(0));
}

async function close(lines: readonly Line[]): Promise<void> {
  await Promise.all(
    lines.map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          if (socket.closed) {
            resolve();
            return;
          }
          socket.removeAllListeners('drain');
          socket.once('close', () => resolve());
          socket.destroy();
        }),
    ),
  );
}

const COMMANDS: { readonly [K in Request['do']]: (command: Command<K>) => Promise<unknown> } = {
  transfer,
  startBulk,
  bulkBytes,
  stopBulk,
  roundTrips,
  open,
  hold,
  release,
};

function run<K extends Request['do']>(command: Command<K>): Promise<unknown> {
  const act = COMMANDS[command.do] as (command: Command<K>) => Promise<unknown>;
  return act(command);
}

process.on('message', (command: Request) => {
  run(command).then(
    (value) => process.send?.({ value } satisfies Answer),
    (error: Error) => process.send?.({ error: error.message } satisfies Answer),
  );
});
process.on('disconnect', () => process.exit(0));
