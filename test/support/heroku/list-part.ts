import type { Answer } from './manager.ts';

const STANDARD = 200;
const MOST = 1_000;
/** `id ..; max=1000`, and what the answer's Next-Range gives: `]the-last-id..; max=1000`. */
const RANGE = /^(?:id )?(?:\](?<after>[\w-]*))?\.\.(?:; ?max=(?<max>\d+))?;?$/;

/**
 * A list as the platform API gives it: by id, no more than the Range asks for, and in Next-Range
 * where the rest begins.
 */
export function listPart(rows: readonly { readonly id: string }[], range = 'id ..'): Answer {
  const asked = RANGE.exec(range)?.groups;
  if (asked === undefined) return { status: 416, body: { id: 'requested_range_not_satisfiable' } };
  const { after = '', max = STANDARD } = asked;
  const size = Math.min(Number(max), MOST);
  const rest = rows
    .filter(({ id }) => id > after)
    .toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
  const body = rest.slice(0, size);
  if (rest.length <= size) return { status: 200, body };
  return { status: 206, body, headers: { 'next-range': `]${body.at(-1)?.id}..; max=${size}` } };
}
