import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import type { WayInput } from './options.ts';
import type { Label } from './spec.ts';

/**
 * The input with the app in place of the git remote that leads to it; `folder`: whose repository.
 * Throws USAGE or APP_NOT_FOUND.
 */
export async function withAppOfRemote(
  input: WayInput,
  label: Label,
  folder: string,
  env: Environment,
): Promise<WayInput> {
  const { remote, ...rest } = input;
  if (remote === undefined) return input;
  if (input.app !== undefined) {
    throw new EpmuxError('USAGE', `${label('app')} and ${label('remote')} exclude each other`, {
      details: { key: 'remote' },
    });
  }
  return { ...rest, app: await appOf(remote, folder, env) };
}

/**
 * The app that the folder's git remotes lead to, if it is clear which. Throws USAGE when it is not.
 */
export function usualApp(folder: string, env: Environment): Promise<string> {
  return appOf(undefined, folder, env);
}

/** Loaded when it is needed: most ways have nothing to do with Heroku. */
async function appOf(
  remote: string | undefined,
  folder: string,
  env: Environment,
): Promise<string> {
  const { appOfRemote } = await import('../../heroku/git-remote.ts');
  const { herokuSettings } = await import('../../heroku/settings.ts');
  return appOfRemote({ folder, remote, gitHosts: herokuSettings({ ...env }).gitHosts });
}
