import type { ProxyVariables } from '../heroku/proxy.ts';
import type { HerokuVariables } from '../heroku/settings.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { ExecRequest, Terminal } from '../transport/transport.ts';
import {
  type AgentChoice,
  APP_NAME,
  DYNO_SELECTOR,
  LONGEST,
  MAX_DYNOS,
  TUNNEL_NAME,
  type TunnelSpec,
  type UpSecrets,
  type Way,
} from './control/api.ts';

/**
 * Turns what came from outside into a T, or throws CONTROL_PROTOCOL saying which field is wrong
 * (never its value).
 */
export type Check<T> = (value: unknown, at: string) => T;

/** A check for each field; one that may give undefined for those alone that may be absent. */
type Shape<T> = {
  readonly [K in keyof T]-?: Check<T[K] | (object extends Pick<T, K> ? undefined : never)>;
};

function wrong(at: string, expected: string): EpmuxError {
  return new EpmuxError('CONTROL_PROTOCOL', `${at} has to be ${expected}`);
}

/** Fields that are absent stay absent; fields that the shape does not know are left out. */
export function object<T extends object>(shape: Shape<T>): Check<T> {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrong(at, 'an object');
    }
    const checked: Record<string, unknown> = {};
    for (const [key, check] of Object.entries<Check<unknown>>(shape)) {
      const field = check((value as Record<string, unknown>)[key], `${at}.${key}`);
      if (field !== undefined) checked[key] = field;
    }
    return checked as T;
  };
}

/** Undefined stands for a field that is absent: `object` leaves it out. */
export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value, at) => (value === undefined || value === null ? undefined : check(value, at));
}

export function list<T>(check: Check<T>, most: number): Check<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > most) throw wrong(at, `a list of at most ${most}`);
    return value.map((item, index) => check(item, `${at}[${index}]`));
  };
}

/** An object whose fields have any names. */
export function record<T>(
  name: Check<string>,
  check: Check<T>,
  most: number,
): Check<Readonly<Record<string, T>>> {
  return (value, at) => {
    const isOne = typeof value === 'object' && value !== null && !Array.isArray(value);
    const fields = isOne ? Object.entries(value) : [];
    if (!isOne || fields.length > most) {
      throw wrong(at, `an object of at most ${most} fields`);
    }
    return Object.fromEntries(
      fields.map(([key, field]) => [name(key, `a name in ${at}`), check(field, `${at}.${key}`)]),
    );
  };
}

export function text(longest: number): Check<string> {
  return (value, at) => {
    if (typeof value !== 'string' || value === '' || value.length > longest) {
      throw wrong(at, `a text of 1 to ${longest} characters`);
    }
    return value;
  };
}

export function matching(pattern: RegExp, longest: number, expected: string): Check<string> {
  return (value, at) => {
    if (typeof value !== 'string' || value.length > longest || !pattern.test(value)) {
      throw wrong(at, expected);
    }
    return value;
  };
}

export function integer(least: number, most: number): Check<number> {
  return (value, at) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      throw wrong(at, `a whole number from ${least} to ${most}`);
    }
    return value as number;
  };
}

export const flag: Check<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw wrong(at, 'true or false');
  return value;
};

export function oneOf<T extends string>(...choices: readonly T[]): Check<T> {
  return (value, at) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw wrong(at, `one of ${choices.join(', ')}`);
    return found;
  };
}

export const port: Check<number> = integer(1, 65_535);
const path: Check<string> = text(LONGEST.path);
const host: Check<string> = text(LONGEST.host);

export const tunnelName: Check<string> = (value, at) => {
  if (typeof value !== 'string' || !TUNNEL_NAME.test(value)) {
    throw wrong(at, 'one word of at most 64 characters without slashes');
  }
  return value;
};

const WAYS: { readonly [K in Way['kind']]: Check<Extract<Way, { kind: K }>> } = {
  connect: object<Extract<Way, { kind: 'connect' }>>({ kind: oneOf('connect'), host, port }),
  ssh: object<Extract<Way, { kind: 'ssh' }>>({
    kind: oneOf('ssh'),
    user: text(LONGEST.user),
    host,
    port,
    identityFile: optional(path),
  }),
  command: object<Extract<Way, { kind: 'command' }>>({
    kind: oneOf('command'),
    command: text(LONGEST.command),
  }),
  heroku: object<Extract<Way, { kind: 'heroku' }>>({
    kind: oneOf('heroku'),
    app: matching(APP_NAME, LONGEST.app, 'an app'),
    dynos: list(matching(DYNO_SELECTOR, LONGEST.dyno, 'a dyno or a process type'), MAX_DYNOS),
  }),
};

export const way: Check<Way> = (value, at) => {
  const { kind } = object<{ kind: Way['kind'] }>({
    kind: oneOf(...(Object.keys(WAYS) as Way['kind'][])),
  })(value, at);
  return WAYS[kind](value, at);
};

export const tunnelSpec: Check<TunnelSpec> = object<TunnelSpec>({
  name: tunnelName,
  way,
  via: optional(text(LONGEST.via)),
  agent: oneOf<AgentChoice>('auto', 'require', 'none'),
  agentPort: port,
  hiddenOnly: flag,
  secretFile: optional(path),
  cookieFile: optional(path),
  epmdPort: optional(port),
});

export const upSecrets: Check<UpSecrets> = object<UpSecrets>({
  secret: optional(text(LONGEST.secret)),
  cookie: optional(text(LONGEST.cookie)),
  acceptHostKey: optional(text(LONGEST.fingerprint)),
  sshAuthSock: optional(path),
  herokuToken: optional(text(LONGEST.token)),
  herokuVariables: optional(
    object<HerokuVariables>({
      HEROKU_API_URL: optional(text(LONGEST.url)),
      HEROKU_HOST: optional(text(LONGEST.url)),
      HEROKU_GIT_HOST: optional(text(LONGEST.url)),
      HEROKU_EXEC_URL: optional(text(LONGEST.url)),
      HEROKU_HEADERS: optional(text(LONGEST.list)),
    }),
  ),
  proxyVariables: optional(
    object<ProxyVariables>({
      HTTPS_PROXY: optional(text(LONGEST.url)),
      https_proxy: optional(text(LONGEST.url)),
      HTTP_PROXY: optional(text(LONGEST.url)),
      http_proxy: optional(text(LONGEST.url)),
      ALL_PROXY: optional(text(LONGEST.url)),
      all_proxy: optional(text(LONGEST.url)),
      NO_PROXY: optional(text(LONGEST.list)),
      no_proxy: optional(text(LONGEST.list)),
    }),
  ),
  extraCaFile: optional(path),
});

const cells: Check<number> = integer(0, 65_535);

export const execRequest: Check<ExecRequest> = object<ExecRequest>({
  command: optional(text(LONGEST.remoteCommand)),
  terminal: optional(object<Terminal>({ term: text(LONGEST.term), columns: cells, rows: cells })),
});
