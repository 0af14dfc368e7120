/** What /proc/PID/environ holds: pairs `NAME=VALUE`, each ended by NUL. */
export function parseEnviron(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\0').map((pair) => [pair, pair.indexOf('=')] as const);
  return new Map(
    pairs.filter(([, at]) => at > 0).map(([pair, at]) => [pair.slice(0, at), pair.slice(at + 1)]),
  );
}
