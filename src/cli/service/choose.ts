import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { daemonPaths } from '../../daemon/paths.ts';
import type { Environment } from '../io.ts';
import { Launchd } from './launchd.ts';
import type { ServiceManager } from './manager.ts';
import { Systemd } from './systemd.ts';
import type { ServiceProgram } from './text.ts';

/** What the daemon needs of a shell's environment; no secret among it. */
const VARIABLES = ['PATH', 'EPMUX_HOME', 'EPMUX_LIMITS', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME'];

/** This very program, as a daemon that stays. */
function serviceProgram(env: Environment): ServiceProgram {
  const set = VARIABLES.map((name) => [name, env[name]] as const).filter(([, value]) => value);
  return {
    command: [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'supervisor', '--stay'],
    env: Object.fromEntries(set) as Record<string, string>,
  };
}

/** The one of this system; undefined: none that is known. */
export function serviceManager(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): ServiceManager | undefined {
  const home = env['HOME'] || homedir();
  const program = serviceProgram(env);
  if (platform === 'linux') {
    const config = env['XDG_CONFIG_HOME'];
    const configHome = config !== undefined && isAbsolute(config) ? config : join(home, '.config');
    return new Systemd({ env, configHome, program });
  }
  if (platform === 'darwin') {
    const { stderrFile } = daemonPaths(env);
    return new Launchd({ env, home, uid: process.getuid?.() ?? 0, program, stderrFile });
  }
  return undefined;
}
