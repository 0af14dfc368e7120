import type { HerokuAhead } from '../heroku/ahead.ts';
import { ANSWER_BOUNDS, CLIENT_USER, HOST_KEY_LINE, TUNNEL_HOST } from '../heroku/answer-bounds.ts';
import type { Dyno, Reservation } from '../heroku/answers.ts';
import type { SshKeyPair } from '../heroku/keys.ts';
import type { AppInfo } from '../heroku/platform.ts';
import type { ExecFacts } from '../heroku/preflight.ts';
import { type Check, flag, list, matching, object, optional, record, text } from './validate.ts';

/**
 * As Heroku's answers are checked (src/heroku/answers.ts); the command has done that, with the same
 * bounds.
 */
const name = text(ANSWER_BOUNDS.name);
const anyText = matching(/^/, ANSWER_BOUNDS.text, 'a text');

type Space = NonNullable<AppInfo['space']>;

const facts = object<ExecFacts>({
  app: object<AppInfo>({
    name,
    generation: name,
    space: optional(object<Space>({ name, shield: flag })),
    stack: optional(name),
  }),
  enabled: flag,
  buildpacks: optional(list(anyText, ANSWER_BOUNDS.items)),
  configVars: optional(record(anyText, anyText, ANSWER_BOUNDS.items)),
});

const reservation = object<Reservation>({
  tunnel_host: matching(TUNNEL_HOST, ANSWER_BOUNDS.name, 'a host, and a port perhaps'),
  client_user: matching(CLIENT_USER, ANSWER_BOUNDS.name, 'a user'),
  proxy_public_key: matching(HOST_KEY_LINE, ANSWER_BOUNDS.hostKey, 'a host key'),
});

export const herokuAhead: Check<HerokuAhead> = object<HerokuAhead>({
  facts,
  dynos: list(object<Dyno>({ id: name, name, type: name, state: name }), ANSWER_BOUNDS.items),
  keys: object<SshKeyPair>({
    privateKey: text(ANSWER_BOUNDS.hostKey),
    publicKey: text(ANSWER_BOUNDS.hostKey),
  }),
  reservations: record(name, reservation, ANSWER_BOUNDS.items),
});
