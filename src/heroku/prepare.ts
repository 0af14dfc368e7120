import { prepareConnections } from './direct-fetch.ts';
import { prepareSshKeys } from './keys.ts';
import { isProxied, proxySettings } from './proxy.ts';
import { herokuSettings } from './settings.ts';

/** `execFacts` asks for three things at once, a formation for its dynos. */
const FIRST_QUESTIONS = 4;

/**
 * Begins what the way into an app's dynos takes whatever Heroku will say, before it is asked: a pair of keys and connections to its API (those that are then
 * used, none more). Nothing is sent on them. What is wrong with the environment is for whoever asks to find.
 */
export function prepareHeroku(env: NodeJS.ProcessEnv): void {
  prepareSshKeys();
  try {
    const url = new URL(herokuSettings(env).apiUrl);
    const proxy = proxySettings(env, undefined);
    if (proxy === undefined || !isProxied(url, proxy)) prepareConnections(url, FIRST_QUESTIONS);
  } catch {
    // It is told when it matters.
  }
}
