import { endDaemon } from '../../daemon/end-daemon.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { EpmuxError, Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';

export const down = defineCommand({
  name: 'down',
  about: 'Takes a tunnel down; the daemon ends with its last tunnel.',
  positional: {
    name: 'NAME',
    describe: 'the tunnel; not needed when there is only one',
    complete: 'tunnel',
  },
  options: { all: { type: 'boolean', describe: 'all tunnels' }, json: JSON_OPTION },
  examples: [
    ['down prod', 'that tunnel'],
    ['down --all', 'every tunnel, and the daemon'],
  ],
  async run({ options, positional }, io): Promise<ExitCode> {
    const all = options.all === true;
    if (all && positional !== undefined) {
      throw new EpmuxError('USAGE', 'NAME and --all exclude each other');
    }
    const downed = await takeDown(positional, all, io);
    if (options.json === true) io.out(jsonText({ downed }));
    else if (downed.length === 0) io.out('nothing was up');
    else for (const name of downed) io.out(`${name} is down`);
    return Exit.done;
  },
});

async function takeDown(
  name: string | undefined,
  all: boolean,
  io: Io,
): Promise<readonly string[]> {
  try {
    const request = name === undefined ? { all } : { name };
    const answer = await withDaemon(io, (daemon) =>
      daemon.call('down', request, { signal: io.interrupted }),
    );
    return answer.downed;
  } catch (error) {
    if (!all || !EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) throw error;
    // A supervisor may be there whose daemon can't start.
    if (await endDaemon(daemonPaths(io.env), io.interrupted)) {
      io.talk('a supervisor that could not start its daemon has ended');
    }
    return [];
  }
}
