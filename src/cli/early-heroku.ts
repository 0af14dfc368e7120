import { APP_NAME } from '../daemon/control/api.ts';
import type { ProcessIo } from './io.ts';

const NAMES_APP = /^(-a|-r|--app$|--app=|--remote$|--remote=)/;
/** Heroku is asked through it. */
const VIA = /^--via(=|$)/;
/** The app stands behind it, or in the next word. */
const APP = /^(?:-a|--app)(?:=(.*))?$/;

/**
 * For an `up` with these words that will ask Heroku itself: begins with what can be done, and
 * asked, while the command is still being read.
 */
export async function prepareForHeroku(words: readonly string[], io: ProcessIo): Promise<void> {
  if (!words.some((word) => NAMES_APP.test(word)) || words.some((word) => VIA.test(word))) return;
  const { prepareHeroku } = await import('../heroku/prepare.ts');
  prepareHeroku(process.env);
  const app = appIn(words);
  if (app === undefined) return;
  const { beginToAsk } = await import('./way/ahead.ts');
  try {
    io.herokuQuestions = beginToAsk(app, undefined, io);
  } catch {
    // What is wrong with the environment is told when it matters.
  }
}

/** Undefined: which app is meant is not plain from the words alone. */
export function appIn(words: readonly string[]): string | undefined {
  const named = words.flatMap((word, at) => {
    const match = APP.exec(word);
    return match === null ? [] : [match[1] ?? words[at + 1] ?? ''];
  });
  const [app = ''] = named;
  return named.length === 1 && APP_NAME.test(app) ? app : undefined;
}
