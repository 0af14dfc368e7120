import type { TunnelSpec } from '../../daemon/control/api.ts';
import { askAhead, type HerokuAhead } from '../../heroku/ahead.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Io } from '../io.ts';
import { callersHeroku } from './heroku-client.ts';

/** How much longer than the daemon's start Heroku's answers may take, before the daemon asks for itself. */
const LATER_MS = 2_000;
/** One line of the control socket takes it, and more besides. */
const MAX_CHARS = 262_144;

/** Heroku's answers while the daemon starts. */
export interface Ahead {
  /** Undefined: there are none in time, or not of use. The daemon then asks, and says what is wrong. Never rejects. */
  answers(): Promise<HerokuAhead | undefined>;
  /** Nobody needs them. */
  drop(): void;
}

/** Begins to ask. Undefined where Heroku has nothing to tell. Throws CONFIG_INVALID. */
export function askHerokuAhead(
  { way, via }: Pick<TunnelSpec, 'way' | 'via'>,
  io: Pick<Io, 'env' | 'interrupted'>,
): Ahead | undefined {
  if (way.kind !== 'heroku') return undefined;
  const needed = new AbortController();
  const signal = AbortSignal.any([io.interrupted, needed.signal]);
  const client = callersHeroku(way.app, via, io, silentLogger);
  const asked = askAhead(client, way.dynos, signal).then(
    (told) => (JSON.stringify(told).length > MAX_CHARS ? undefined : told),
    () => undefined,
  );
  const drop = (): void => needed.abort();
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
