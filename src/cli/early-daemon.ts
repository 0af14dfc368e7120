import { daemonPaths } from '../daemon/paths.ts';
import { startIfNone } from '../daemon/start-detached.ts';
import type { Environment } from '../runtime/environment.ts';
import { LOG_LEVELS } from '../runtime/logger.ts';
import type { EarlyDaemon } from './early.ts';

/** With these nothing runs in the background. */
const WITHOUT = /^(--foreground|--help|-h$|--$)/;
const LEVEL = /^--log-level(?:=(.*))?$/;

/**
 * For an `up` with these words that will most likely need one: to start takes it longer than to
 * find that out. Undefined: none was started.
 */
export function startEarly(words: readonly string[], env: Environment): EarlyDaemon | undefined {
  if (words.some((word) => WITHOUT.test(word))) return undefined;
  const level = logLevel(words);
  if (level === undefined) return undefined;
  const started = startIfNone(daemonPaths(env), process.argv[1] ?? '', level);
  if (started === undefined) return undefined;
  let isWaiting = true;
  return {
    get isWaiting() {
      return isWaiting;
    },
    take: () => {
      if (!isWaiting) return undefined;
      isWaiting = false;
      return started;
    },
    giveUp: () => started.giveUp(),
  };
}

/** The level as the daemon takes it; undefined: it is none. */
function logLevel(words: readonly string[]): string[] | undefined {
  const at = words.findIndex((word) => LEVEL.test(word));
  if (at < 0) return [];
  const level = LEVEL.exec(words[at] ?? '')?.[1] ?? words[at + 1] ?? '';
  return LOG_LEVELS.some((known) => known === level) ? ['--log-level', level] : undefined;
}
