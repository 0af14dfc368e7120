import * as v from 'valibot';
import { EpmuxError } from '../protocol/errors.ts';
import { ANSWER_BOUNDS, CLIENT_USER, HOST_KEY_LINE, TUNNEL_HOST } from './answer-bounds.ts';

/** What epmux reads of Heroku's answers; whatever else stands in them is left out. */
const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(ANSWER_BOUNDS.name));
const Text = v.pipe(v.string(), v.maxLength(ANSWER_BOUNDS.text));

export const App = v.object({
  id: Name,
  name: Name,
  /** `cedar` or `fir`; older answers have none. */
  generation: v.optional(v.union([Name, v.object({ name: Name })])),
  space: v.optional(v.nullable(v.object({ name: Name, shield: v.optional(v.boolean(), false) }))),
  build_stack: v.optional(v.nullable(v.object({ name: Name }))),
});

const Dyno = v.object({
  id: Name,
  /** `web.1` */
  name: Name,
  /** `web` */
  type: Name,
  /** `up`, `starting`, `crashed`, `idle`, `down`, … */
  state: Name,
});
export type Dyno = v.InferOutput<typeof Dyno>;
export const Dynos = v.pipe(v.array(Dyno), v.maxLength(ANSWER_BOUNDS.items));

export const ConfigVars = v.pipe(v.record(Text, Text), v.maxEntries(ANSWER_BOUNDS.items));
export const Feature = v.object({ enabled: v.boolean() });
const Buildpack = v.object({ buildpack: v.object({ url: v.optional(v.nullable(Text)) }) });
export const Buildpacks = v.pipe(v.array(Buildpack), v.maxLength(ANSWER_BOUNDS.items));

export const Reservation = v.object({
  tunnel_host: v.pipe(Name, v.regex(TUNNEL_HOST)),
  client_user: v.pipe(Name, v.regex(CLIENT_USER)),
  proxy_public_key: v.pipe(
    v.string(),
    v.trim(),
    v.maxLength(ANSWER_BOUNDS.hostKey),
    v.regex(HOST_KEY_LINE),
  ),
});
export type Reservation = v.InferOutput<typeof Reservation>;

export const Reservations = v.array(v.object({ dyno_name: Name }));

/** Throws HEROKU_ANSWER_INVALID with the place that is wrong, never with what stands there. */
export function checked<T>(schema: v.GenericSchema<unknown, T>, answer: unknown, what: string): T {
  const result = v.safeParse(schema, answer, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? 'the whole';
  throw new EpmuxError(
    'HEROKU_ANSWER_INVALID',
    `Heroku's answer about ${what} can't be read: ${path} is no ${issue.expected ?? issue.type}`,
  );
}
