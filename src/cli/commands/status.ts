import { setTimeout as delay } from 'node:timers/promises';
import type { ControlClient } from '../../daemon/control/client.ts';
import { EpmuxError, Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { renderStatus } from '../terminal/status-view.ts';
import { count } from '../terminal/units.ts';

const WATCH_EVERY_MS = 1_000;
const HOME_AND_CLEAR = '\u001b[H\u001b[J';
const CLEAR_SCREEN = '\u001b[2J';

export const status = defineCommand({
  name: 'status',
  about:
    'Tunnels, their state, dynos, nodes, round-trip time, streams, bytes, reconnects, last error.',
  positional: {
    name: 'NAME',
    describe: 'one tunnel only; exit 3 when it is not up',
    complete: 'tunnel',
  },
  options: {
    watch: { type: 'boolean', alias: 'w', describe: 'stay, and show each change' },
    json: JSON_OPTION,
  },
  examples: [
    ['status', 'all tunnels'],
    ['status prod --json', 'for a script'],
    ['status --watch', 'until Ctrl-C'],
  ],
  async run({ options, positional }, io): Promise<ExitCode> {
    if (options.watch === true && options.json === true) {
      throw new EpmuxError('USAGE', '--watch and --json exclude each other: JSON is one document');
    }
    const filter = positional === undefined ? {} : { name: positional };
    return withDaemon(io, async (daemon) => {
      if (options.watch === true) return watch(daemon, filter, io);
      const found = await daemon.call('status', filter, { signal: io.interrupted });
      if (options.json === true) io.out(jsonText(found));
      else for (const line of renderStatus(found, io.paintOut, systemClock.wallNow())) io.out(line);
      const isDown = positional !== undefined && found.tunnels.some(({ state }) => state !== 'up');
      return isDown ? Exit.notConnected : Exit.done;
    });
  },
});

/**
 * On a terminal that can be drawn on that is done anew each second; elsewhere a block is printed
 * when something but time has changed.
 */
async function watch(
  daemon: ControlClient,
  filter: { readonly name?: string },
  io: Io,
): Promise<never> {
  let last = '';
  const isDrawn = io.outIsTerminal && io.env['TERM'] !== 'dumb';
  if (isDrawn) io.out(CLEAR_SCREEN);
  for (;;) {
    const found = await daemon.call('status', filter, { signal: io.interrupted });
    const lines = renderStatus(found, io.paintOut, systemClock.wallNow());
    if (isDrawn) {
      io.out(HOME_AND_CLEAR + withinRows(lines, io.rows).join('\n'));
    } else {
      const facts = JSON.stringify(found.tunnels);
      if (facts !== last) io.out(`${lines.join('\n')}\n`);
      last = facts;
    }
    await delay(WATCH_EVERY_MS, undefined, { signal: io.interrupted });
  }
}

/**
 * What is longer would scroll each second, its beginning never seen. The last row is for the line
 * end.
 */
function withinRows(lines: readonly string[], rows: number | undefined): readonly string[] {
  if (rows === undefined || lines.length < rows) return lines;
  const shown = lines.slice(0, Math.max(1, rows - 2));
  return [...shown, `and ${count(lines.length - shown.length, 'more line')}`];
}
