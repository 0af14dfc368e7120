import { setTimeout as delay } from 'node:timers/promises';
import { daemonPaths } from '../../daemon/paths.ts';
import { EpmuxError, Exit, type ExitCode } from '../../protocol/errors.ts';
import { defineCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { LogReader } from '../logs/tail.ts';

const FOLLOW_EVERY_MS = 250;
const DEFAULT_LINES = 100;
const MAX_LINES = 100_000;

export const logs = defineCommand({
  name: 'logs',
  about: "The end of the daemon's log.",
  options: {
    follow: { type: 'boolean', alias: 'f', describe: 'stay, and print what is added' },
    lines: {
      type: 'string',
      alias: 'n',
      requiresArg: true,
      describe: `how many lines (default ${DEFAULT_LINES})`,
    },
  },
  examples: [
    ['logs', 'the last lines'],
    ['logs -f', 'until Ctrl-C'],
  ],
  async run({ options }, io): Promise<ExitCode> {
    const lines = parseLines(options.lines);
    const { logFile } = daemonPaths(io.env);
    const reader = new LogReader(logFile);
    try {
      const tail = await reader.tail(lines);
      if (tail === undefined) io.talk(`there is no log yet (${logFile})`);
      else io.outBytes(tail);
      if (options.follow === true) await follow(reader, io);
      return Exit.done;
    } finally {
      await reader.close();
    }
  },
});

async function follow(reader: LogReader, io: Io): Promise<never> {
  for (;;) {
    const chunk = await reader.more();
    if (chunk.length > 0) io.outBytes(chunk);
    else await delay(FOLLOW_EVERY_MS, undefined, { signal: io.interrupted });
  }
}

function parseLines(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LINES;
  const lines = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (lines < 0 || lines > MAX_LINES) {
    throw new EpmuxError('USAGE', `-n takes a number from 0 to ${MAX_LINES}, not "${text}"`);
  }
  return lines;
}
