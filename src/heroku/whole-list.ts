import { EpmuxError } from '../protocol/errors.ts';

/** As much of a list as Heroku gives at once. */
export interface ListPart<T> {
  readonly items: readonly T[];
  /** The Range of what follows; null: that was all. */
  readonly nextRange: string | null;
}

/** The first part, as long as Heroku makes one; unasked it has 200 items. */
const FIRST_RANGE = 'id ..; max=1000';
const MAX_PARTS = 10;

/**
 * All of a list that Heroku gives in parts, `part` by `part`. Throws what that throws, and
 * HEROKU_ANSWER_INVALID when there is no end.
 */
export async function wholeList<T>(
  what: string,
  part: (range: string) => Promise<ListPart<T>>,
): Promise<T[]> {
  const whole: T[] = [];
  let range = FIRST_RANGE;
  for (let parts = 0; parts < MAX_PARTS; parts += 1) {
    const { items, nextRange } = await part(range);
    whole.push(...items);
    if (nextRange === null) return whole;
    range = nextRange;
  }
  throw new EpmuxError(
    'HEROKU_ANSWER_INVALID',
    `Heroku's list of ${what} has more than ${MAX_PARTS} parts`,
  );
}
