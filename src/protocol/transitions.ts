import { EpmuxError } from './errors.ts';

/** To which states a machine may go from each of them. */
export type Transitions<S extends string> = { readonly [From in S]: readonly S[] };

/**
 * The new state. Throws INTERNAL when the way there does not exist. `machine`: such as `a link`.
 */
export function transition<S extends string>(
  next: Transitions<S>,
  machine: string,
  from: S,
  to: S,
): S {
  if (next[from].includes(to)) return to;
  throw new EpmuxError('INTERNAL', `${machine} can not go from ${from} to ${to}`);
}
