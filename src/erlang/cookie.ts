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

/** A cookie is a text of the characters of its atom, each of which is a byte of what is proved. */
const COOKIE = /^[\x20-\x7e\x80-\xff]+$/;
const ONE_BYTE_EACH = /^[\0-\xff]*$/;
/** As Erlang reads its file: all that can be seen, and blanks; behind it only what ends lines. */
const COOKIE_FILE = /^([ -~]+)(?:[\n\r][\n\r ]*)?$/;

/** May the text be a cookie? */
export function isCookie(text: string): boolean {
  return text.length <= MAX_COOKIE_BYTES && COOKIE.test(text);
}

/**
 * The cookies that a node may have to which this text was given: its characters are the atom's
 * where the locale is UTF-8, its bytes are elsewhere. The most likely first.
 */
export function cookiesOfText(text: string): readonly string[] {
  const bytes = Buffer.from(text).toString('latin1');
  if (bytes === text) return [text];
  return ONE_BYTE_EACH.test(text) ? [text, bytes] : [bytes];
}

/**
 * The cookie that a person gives in a file or a variable, without the white space around it: the
 * most likely one. Empty: there is none.
 */
export function givenCookie(text: string): string {
  const [likely = ''] = cookiesOfText(text.trim());
  return likely;
}

/** What Erlang takes for the cookie in `~/.erlang.cookie`; undefined: it refuses the file. */
export function cookieOfFile(bytes: Uint8Array): string | undefined {
  const cookie = COOKIE_FILE.exec(Buffer.from(bytes).toString('latin1'))?.[1];
  return cookie !== undefined && isCookie(cookie) ? cookie : undefined;
}

/** The first cookie of an environment; undefined: it holds none. */
export function cookieOfVariables(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return COOKIE_VARIABLES.flatMap((name) => cookiesOfText(env[name] ?? '')).find(isCookie);
}
