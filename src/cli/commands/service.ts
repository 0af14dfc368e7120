import { daemonVersion, endDaemon } from '../../daemon/end-daemon.ts';
import { daemonPaths, ensureFolders } from '../../daemon/paths.ts';
import { assertStartable } from '../../daemon/start-detached.ts';
import { EpmuxError, Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import { VERSION } from '../../runtime/version.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import type { Io } from '../io.ts';
import { serviceManager } from '../service/choose.ts';
import type { ServiceManager, ServiceState } from '../service/manager.ts';

const ACTIONS = ['install', 'uninstall', 'status'] as const;
type Action = (typeof ACTIONS)[number];

export const service = defineCommand({
  name: 'service',
  about: 'The daemon as a service of this user: a systemd unit, or a launchd agent.',
  positional: { name: 'ACTION', describe: ACTIONS.join(', '), values: ACTIONS },
  options: { json: JSON_OPTION },
  examples: [
    ['service install', 'from now on, and from each login on'],
    ['service status', 'is it there, does it run'],
    ['service uninstall', 'neither runs nor starts any more'],
  ],
  async run({ options, positional }, io): Promise<ExitCode> {
    const action = positional as Action | undefined;
    if (action === undefined) {
      throw new EpmuxError('USAGE', `it is not said what to do: ${ACTIONS.join(', ')}`);
    }
    const manager = serviceManager(io.env);
    if (action === 'install') await install(manager, io);
    if (action === 'uninstall') await uninstall(manager, io);
    const state = (await manager?.state()) ?? NONE;
    if (options.json === true) io.out(jsonText(state));
    else if (action === 'status') io.out(describe(state));
    return Exit.done;
  },
});

const NONE: ServiceState = {
  manager: null,
  installed: false,
  enabled: false,
  running: false,
  file: null,
};

async function install(manager: ServiceManager | undefined, io: Io): Promise<void> {
  if (manager === undefined) {
    throw new EpmuxError('SERVICE_UNAVAILABLE', `no service manager is known for this system`);
  }
  await manager.check();
  const paths = daemonPaths(io.env);
  // After an update the unit is as it was, and runs the old program.
  const isOld = async () => {
    const version = await daemonVersion(paths, io.interrupted);
    return version !== undefined && version !== VERSION;
  };
  if ((await manager.isInstalled()) && !(await isOld())) {
    io.talk(`the service is installed already: ${manager.file}`);
    return;
  }
  ensureFolders(paths);
  // While the daemon that runs, and its tunnels, are there still.
  assertStartable(paths);
  await manager.stop();
  if (await endDaemon(paths, io.interrupted)) {
    io.talk('the daemon that ran has ended; its tunnels come back with the service');
  }
  for (const line of await manager.install()) io.talk(line);
  io.talk(`the service is installed: ${manager.file}`);
}

async function uninstall(manager: ServiceManager | undefined, io: Io): Promise<void> {
  for (const line of (await manager?.uninstall()) ?? []) io.talk(line);
  io.talk('the service is not installed any more');
}

function describe({ manager, installed, enabled, running, file }: ServiceState): string {
  if (manager === null) return 'no service manager is known for this system';
  if (!installed) return 'not installed';
  const states = [enabled ? 'enabled' : 'not enabled', running ? 'running' : 'not running'];
  return `installed, ${states.join(', ')}: ${file}`;
}
