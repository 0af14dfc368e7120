/**
 * The line (from 1) of a TOML text on which the key at `path` stands, or of the nearest table
 * around it. The text is known to parse; only headers and keys are looked at, so a multi-line
 * string that imitates them may mislead by some lines.
 */
export function lineOfKey(text: string, path: readonly string[]): number {
  let table: string[] = [];
  let best = { depth: 0, line: 1 };
  text.split('\n').forEach((line, index) => {
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line);
    const key = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/.exec(
      line,
    );
    if (header !== null) table = splitKey(header[1] ?? '');
    else if (key === null) return;
    const here = header === null ? [...table, ...splitKey(key?.[1] ?? '')] : table;
    const depth = commonDepth(here, path);
    if (depth === Math.min(here.length, path.length) && depth > best.depth) {
      best = { depth, line: index + 1 };
    }
  });
  return best.line;
}

function splitKey(key: string): string[] {
  return (key.match(/"[^"]*"|'[^']*'|[^\s.]+/g) ?? []).map((part) =>
    /^["']/.test(part) ? part.slice(1, -1) : part,
  );
}

function commonDepth(a: readonly string[], b: readonly string[]): number {
  let depth = 0;
  while (depth < a.length && depth < b.length && a[depth] === b[depth]) depth += 1;
  return depth;
}
