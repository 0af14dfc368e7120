/**
 * What the commands and the daemon run on: major and minor. The agent runs on older ones
 * (dyno-node.ts).
 */
const OLDEST_NODE = [20, 19] as const;
export const OLDEST_NODE_TEXT = OLDEST_NODE.join('.');

/** `version` as Node has it, with or without its `v`: `20.19.0`. */
export function isOldNode(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  return major < oldest || (major === oldest && minor < oldestMinor);
}
