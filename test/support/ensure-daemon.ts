/**
 * What a command does first, for tests: `node ensure-daemon.ts MAIN_SCRIPT` prints what the daemon
 * says of itself.
 */
import { daemonPaths } from '../../src/daemon/paths.ts';
import { ensureDaemon } from '../../src/daemon/spawn.ts';

const client = await ensureDaemon(daemonPaths(), { script: process.argv[2] ?? '' });
process.stdout.write(JSON.stringify(await client.call('hello', {})));
client.close();
