import { execFile } from 'node:child_process';
import { EpmuxError } from '../protocol/errors.ts';
import type { HerokuSettings } from './settings.ts';

const GIT_LIMIT_MS = 10_000;
/** The remote that `heroku create` makes. */
const USUAL_REMOTE = 'heroku';
const HINT = 'name it with -a APP, or a git remote that leads to it with -r REMOTE';

export interface RemoteQuestion {
  /** Whose repository. */
  readonly folder: string;
  /** `-r`; without it the remote `heroku`, else the only one that leads to Heroku. */
  readonly remote: string | undefined;
  readonly gitHosts: HerokuSettings['gitHosts'];
}

/**
 * The app that a git remote leads to. Throws USAGE when it is not clear which, and APP_NOT_FOUND
 * when `-r` names no such remote.
 */
export async function appOfRemote(question: RemoteQuestion): Promise<string> {
  const { folder, remote, gitHosts } = question;
  const remotes = parseRemotes(await git(folder, ['remote', '-v']));
  const apps = remotes.flatMap(({ name, url }) => {
    const app = appOfUrl(url, gitHosts);
    return app === undefined ? [] : [{ name, app }];
  });
  const asked = remote ?? USUAL_REMOTE;
  const named = apps.find(({ name }) => name === asked);
  if (named !== undefined) return named.app;
  if (remote !== undefined) throw notThere(remote, remotes, apps);
  const [first, ...others] = apps;
  if (first === undefined) {
    throw new EpmuxError('USAGE', 'which app? No git remote of this folder leads to Heroku', {
      hint: HINT,
    });
  }
  if (others.length > 0) {
    throw new EpmuxError('USAGE', `which app? Several git remotes lead to Heroku: ${list(apps)}`, {
      hint: HINT,
    });
  }
  return first.app;
}

/**
 * The app in a remote's URL: `https://git.heroku.com/APP.git`, `git@heroku.com:APP.git`,
 * `ssh://git@heroku.com/APP.git`.
 */
export function appOfUrl(url: string, gitHosts: HerokuSettings['gitHosts']): string | undefined {
  const host = (name: string): string => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const forms = [
    `https?://(?:[^/@]+@)?${host(gitHosts.https)}/`,
    `ssh://git@${host(gitHosts.ssh)}(?::\\d+)?/`,
    `git@${host(gitHosts.ssh)}:/?`,
  ];
  const match = new RegExp(`^(?:${forms.join('|')})([^/\\s]+?)(?:\\.git)?/?$`, 'i').exec(url);
  return match?.[1];
}

interface Remote {
  readonly name: string;
  readonly url: string;
}

/** What `git remote -v` prints: `NAME<tab>URL (fetch)`. */
export function parseRemotes(text: string): Remote[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\S+)\t(.*) \(fetch\)(?: \[.*\])?$/.exec(line);
    return match === null ? [] : [{ name: match[1] ?? '', url: match[2] ?? '' }];
  });
}

function notThere(
  remote: string,
  remotes: readonly Remote[],
  apps: readonly { name: string; app: string }[],
): EpmuxError {
  const leading = apps.length === 0 ? '' : `; these do: ${list(apps)}`;
  return new EpmuxError(
    'APP_NOT_FOUND',
    remotes.some(({ name }) => name === remote)
      ? `the git remote ${remote} does not lead to Heroku${leading}`
      : `there is no git remote ${remote}${apps.length === 0 ? '' : `; to Heroku lead ${list(apps)}`}`,
    { hint: HINT },
  );
}

function list(apps: readonly { name: string; app: string }[]): string {
  return apps.map(({ name, app }) => `${name} (${app})`).join(', ');
}

function git(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      ['-C', folder, ...args],
      { timeout: GIT_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 1 << 20 },
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(gitError(error));
      },
    );
  });
}

function gitError(error: Error & { code?: unknown }): EpmuxError {
  const why =
    error.code === 'ENOENT'
      ? 'git is not installed, so no remote can tell'
      : 'this folder is in no git repository that git can read';
  return new EpmuxError('USAGE', `which app? ${why}`, { cause: error, hint: HINT });
}
