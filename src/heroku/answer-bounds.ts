/**
 * What Heroku's answers may hold: checked as they arrive (answers.ts), and by a daemon that a
 * command hands them to. Lengths in characters.
 */
export const ANSWER_BOUNDS = {
  name: 255,
  /** Of a config var's name or value, or of a URL. */
  text: 65_536,
  hostKey: 16_384,
  /** Of a list, or of the config vars. */
  items: 10_000,
} as const;

/** `host` or `host:port`. */
export const TUNNEL_HOST = /^[\w.:[\]-]+$/;
/** Nothing that a program would take for an option. */
export const CLIENT_USER = /^[^\s-]\S*$/;
/** As in known_hosts, without the host. */
export const HOST_KEY_LINE = /^(?:ssh|ecdsa)-[\w@.-]+ [A-Za-z0-9+/]+={0,2}(?:\s.*)?$/;
