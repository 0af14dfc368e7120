import type { HerokuAhead } from '../heroku/ahead.ts';
import type { Dyno, Reservation } from '../heroku/answers.ts';
import type { SshKeyPair } from '../heroku/keys.ts';
import type { AppInfo } from '../heroku/platform.ts';
import type { ExecFacts } from '../heroku/preflight.ts';
import { type Check, flag, list, matching, object, optional, record, text } from './validate.ts';

/** As Heroku's answers are checked (src/heroku/answers.ts); the command has done that, with the same bounds. */
const name = text(255);
const long = text(65_536);
const MAX_DYNOS = 10_000;

type Space = NonNullable<AppInfo['space']>;

const facts = object<ExecFacts>({
  app: object<AppInfo>({
    name,
    generation: name,
    space: optional(object<Space>({ name, shield: flag })),
    stack: optional(name),
  }),
  enabled: flag,
  buildpacks: optional(list(long, 1_000)),
  configVars: optional(record(name, matching(/^/, 65_536, 'a text'))),
});

export const herokuAhead: Check<HerokuAhead> = object<HerokuAhead>({
  facts,
  dynos: list(object<Dyno>({ id: name, name, type: name, state: name }), MAX_DYNOS),
  keys: object<SshKeyPair>({ privateKey: long, publicKey: long }),
  reservations: record(
    name,
    object<Reservation>({ tunnel_host: name, client_user: name, proxy_public_key: long }),
  ),
});
