import { jsonText } from '../../protocol/text.ts';
import type { Io } from '../io.ts';
import { alignColumns } from '../terminal/columns.ts';
import { printable } from '../terminal/printable.ts';
import type { DynoExecStatus } from './heroku.ts';

/** Results: one line a dyno, or one document. */
export function printExecStatus(
  app: string,
  dynos: readonly DynoExecStatus[],
  json: boolean,
  io: Io,
): void {
  if (json) {
    const rows = dynos.map(({ name, type = null, state = null, exec }) => {
      return { name, type, state, exec };
    });
    io.out(jsonText({ app, dynos: rows }));
    return;
  }
  const rows = dynos.map(({ name, state = 'not listed', exec }) => [
    printable(name),
    printable(state),
    exec ? io.paintOut('green', 'exec running') : io.paintOut('dim', 'no exec'),
  ]);
  for (const line of alignColumns(rows)) io.out(line);
  if (dynos.length === 0) io.talk(`no dyno of ${app} is running`);
}
