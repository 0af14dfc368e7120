import type { TunnelSpec } from '../../daemon/control/api.ts';
import { askAhead, askFirst, type HerokuAhead } from '../../heroku/ahead.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { HerokuQuestions } from '../early.ts';
import type { Io } from '../io.ts';
import { callersHeroku } from './heroku-client.ts';

/**
 * How much longer than the daemon's start Heroku's answers may take, before the daemon asks for
 * itself.
 */
const LATER_MS = 2_000;
/** One line of the control socket takes it, and more besides. */
const MAX_CHARS = 262_144;

/** Heroku's answers while the daemon starts. */
export interface Ahead {
  /**
   * Undefined: there are none in time, or not of use. The daemon then asks, and says what is wrong.
   * Never rejects.
   */
  answers(): Promise<HerokuAhead | undefined>;
  /** Nobody needs them. */
  drop(): void;
}

type AskingIo = Pick<Io, 'env' | 'interrupted'>;

/** Asks at once, by the proxy if one is given. Throws CONFIG_INVALID. */
export function beginToAsk(app: string, via: string | undefined, io: AskingIo): HerokuQuestions {
  const needed = new AbortController();
  const signal = AbortSignal.any([io.interrupted, needed.signal]);
  const client = callersHeroku(app, via, io, silentLogger);
  const first = askFirst(client, signal);
  return { app, client, first, signal, drop: () => needed.abort() };
}

/**
 * Goes on with what was asked without a proxy, if that was of this app, else begins. Undefined
 * where Heroku has nothing to tell. Throws CONFIG_INVALID.
 */
export function askHerokuAhead(
  { way, via }: Pick<TunnelSpec, 'way' | 'via'>,
  io: AskingIo & Pick<Io, 'herokuQuestions'>,
): Ahead | undefined {
  if (way.kind !== 'heroku') return undefined;
  const early = io.herokuQuestions;
  const isOfThis = early?.app === way.app && via === undefined;
  if (!isOfThis) early?.drop();
  const { client, first, signal, drop } = isOfThis ? early : beginToAsk(way.app, via, io);
  const asked = askAhead(client, way.dynos, signal, first).then(
    (told) => (JSON.stringify(told).length > MAX_CHARS ? undefined : told),
    () => undefined,
  );
  return {
    async answers() {
      const limit = setTimeout(drop, LATER_MS);
      try {
        return await asked;
      } finally {
        clearTimeout(limit);
      }
    },
    drop,
  };
}
