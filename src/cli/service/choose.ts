import { daemonPaths, withResolvedPaths } from '../../daemon/paths.ts';
import type { Environment } from '../../runtime/environment.ts';
import { configHome, homeFolder } from '../../runtime/home.ts';
import { lastingNode, lastingScript } from '../../runtime/own-program.ts';
import { Launchd } from './launchd.ts';
import type { ServiceManager } from './manager.ts';
import { Systemd } from './systemd.ts';
import type { ServiceProgram } from './text.ts';

/** What the daemon needs of a shell's environment; no secret among it. */
const VARIABLES = [
  'PATH',
  'EPMUX_HOME',
  'EPMUX_LIMITS',
  'XDG_STATE_HOME',
  'XDG_CONFIG_HOME',
  // Whom Node trusts: Heroku is asked from behind a proxy that opens TLS as well.
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** This very program, as a daemon that stays. */
function serviceProgram(shell: Environment): ServiceProgram {
  const env = withResolvedPaths(shell);
  const set = VARIABLES.map((name) => [name, env[name]] as const).filter(([, value]) => value);
  const script = lastingScript(process.argv[1] ?? '');
  return {
    command: [lastingNode(env), ...process.execArgv, script, 'supervisor', '--stay'],
    env: Object.fromEntries(set) as Record<string, string>,
  };
}

/** The one of this system; undefined: none that is known. */
export function serviceManager(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): ServiceManager | undefined {
  const program = serviceProgram(env);
  if (platform === 'linux') {
    return new Systemd({ env, configHome: configHome(env), program });
  }
  if (platform === 'darwin') {
    const { stderrFile } = daemonPaths(env);
    return new Launchd({
      env,
      home: homeFolder(env),
      uid: process.getuid?.() ?? 0,
      program,
      stderrFile,
    });
  }
  return undefined;
}
