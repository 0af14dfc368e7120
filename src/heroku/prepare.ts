import { prepareConnections } from './direct-fetch.ts';
import { prepareSshKeys } from './keys.ts';
import { isProxied, proxySettings } from './proxy.ts';
import { EXEC_MANAGER_URL, herokuSettings } from './settings.ts';

/** `execFacts` asks for three things at once, a formation for its dynos. */
const FIRST_QUESTIONS = 4;

/**
 * Begins what the way into an app's dynos takes whatever Heroku will say, before it is asked: a
 * pair of keys, connections to its API (those that are then used, none more), and one to the exec
 * manager where that is another host. Nothing is sent on them. What is wrong with the environment
 * is for whoever asks to find.
 */
export function prepareHeroku(env: NodeJS.ProcessEnv): void {
  prepareSshKeys();
  try {
    const { apiUrl, execUrl } = herokuSettings(env);
    const proxy = proxySettings(env, undefined);
    const prepare = (url: URL, count: number): void => {
      if (proxy === undefined || !isProxied(url, proxy)) prepareConnections(url, count);
    };
    const api = new URL(apiUrl);
    const manager = new URL(execUrl ?? EXEC_MANAGER_URL);
    prepare(api, FIRST_QUESTIONS);
    if (manager.host !== api.host) prepare(manager, 1);
  } catch {
    // It is told when it matters.
  }
}
