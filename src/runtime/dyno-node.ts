/**
 * The Node that a dyno has: for whoever brings it an agent, and for whoever says beforehand whether
 * that is possible.
 */

/** The oldest release of Node.js, by its first number, that the agent runs on. */
export const MIN_NODE = 20;

/** Words of a POSIX shell's `for`: where Node is looked for, first come first. */
export const NODE_PLACES =
  'node "$HOME/.heroku/node/bin/node" /app/.heroku/node/bin/node /app/vendor/node*/bin/node';

/** What a Node calls itself, such as `v20.19.0`; it is kept, and handed from process to process. */
export const NODE_VERSION = /^v\d{1,5}\.\d{1,5}\.\d{1,5}[\w.+-]{0,64}$/;

/** Whether the agent runs on this Node: `20.19.0`. */
export function canRunAgent(version: string): boolean {
  return Number(version.split('.')[0]) >= MIN_NODE;
}
