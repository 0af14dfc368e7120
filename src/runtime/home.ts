import { accessSync, constants, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Environment } from './environment.ts';

/** The user's home folder: HOME, or what the system knows where that is unset or empty. */
export function homeFolder(env: Environment): string {
  return env['HOME'] || userInfo().homedir;
}

/** Where it is one that can be entered. */
export function enterableHome(env: Environment): string | undefined {
  const home = homeFolder(env);
  try {
    accessSync(home, constants.X_OK);
    return statSync(home).isDirectory() ? home : undefined;
  } catch {
    return undefined;
  }
}

/** XDG: a variable that holds no absolute path counts as unset. */
export function xdgFolder(env: Environment, name: `XDG_${string}`): string | undefined {
  const value = env[name];
  return value !== undefined && isAbsolute(value) ? value : undefined;
}

/**
 * Where Erlang has the second place of its cookie: its `filename:basedir(user_config, "erlang")`.
 */
export function erlangConfig(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): string {
  return platform === 'darwin'
    ? join(homeFolder(env), 'Library', 'Application Support', 'erlang')
    : join(configHome(env), 'erlang');
}

/** $XDG_CONFIG_HOME, or ~/.config. */
export function configHome(env: Environment): string {
  return xdgFolder(env, 'XDG_CONFIG_HOME') ?? join(homeFolder(env), '.config');
}
