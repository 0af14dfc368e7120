import * as v from 'valibot';
import { EpmuxError } from '../protocol/errors.ts';

/** What epmux reads of Heroku's answers; whatever else stands in them is left out. */
const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(255));

export const App = v.object({
  id: Name,
  name: Name,
  /** `cedar` or `fir`; older answers have none. */
  generation: v.optional(v.union([Name, v.object({ name: Name })])),
  space: v.optional(v.nullable(v.object({ name: Name, shield: v.optional(v.boolean(), false) }))),
  build_stack: v.optional(v.nullable(v.object({ name: Name }))),
});

export const Dynos = v.array(
  v.object({
    id: Name,
    /** `web.1` */
    name: Name,
    /** `web` */
    type: Name,
    /** `up`, `starting`, `crashed`, `idle`, `down`, … */
    state: Name,
  }),
);
export type Dyno = v.InferOutput<typeof Dynos>[number];

export const ConfigVars = v.record(v.string(), v.string());
export const Feature = v.object({ enabled: v.boolean() });
export const Buildpacks = v.array(
  v.object({ buildpack: v.object({ url: v.optional(v.nullable(v.string())) }) }),
);

const KEY_LINE = /^(?:ssh|ecdsa)-[\w@.-]+ [A-Za-z0-9+/]+={0,2}(?:\s.*)?$/;

export const Reservation = v.object({
  /** `host` or `host:port`. */
  tunnel_host: v.pipe(Name, v.regex(/^[\w.:[\]-]+$/)),
  client_user: v.pipe(Name, v.regex(/^[^\s-]\S*$/)),
  proxy_public_key: v.pipe(v.string(), v.trim(), v.maxLength(16_384), v.regex(KEY_LINE)),
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
