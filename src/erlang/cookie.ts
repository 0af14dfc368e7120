/** Where apps keep the cookie of their nodes in their environment, the most usual first. */
export const COOKIE_VARIABLES = [
  'RELEASE_COOKIE',
  'EPMUX_COOKIE',
  'ERLANG_COOKIE',
  'ERL_COOKIE',
  'NODE_COOKIE',
] as const;

/** What a cookie's atom can hold. */
export const MAX_COOKIE_BYTES = 255;

const COOKIE = /^[^\p{Cc}]+$/u;

/** May the text be a cookie? */
export function isCookie(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_COOKIE_BYTES && COOKIE.test(text);
}

/** The first cookie of an environment; undefined: it holds none. */
export function cookieOfVariables(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return COOKIE_VARIABLES.map((name) => env[name]).find(
    (value) => value !== undefined && isCookie(value),
  );
}
