import type { Check } from '../validate.ts';
import type { ControlMethod, ControlMethods } from './api.ts';

/** What a running request may use. */
export interface ControlCall {
  /** Fires when the client is gone or has cancelled: undo what is half done. */
  readonly signal: AbortSignal;
  progress(step: string, done?: boolean): void;
}

export type AnyHandler = (params: unknown, call: ControlCall) => unknown;

interface MethodHandler<M extends ControlMethod> {
  readonly params: Check<ControlMethods[M][0]>;
  run(
    params: ControlMethods[M][0],
    call: ControlCall,
  ): Promise<ControlMethods[M][1]> | ControlMethods[M][1];
}

/** One for each method: a missing one does not compile. */
export type ControlHandlers = { readonly [M in ControlMethod]: MethodHandler<M> };

/** By the name of a method, with its check of the parameters before it. */
export function handlerFinder(
  handlers: ControlHandlers,
): (method: string) => AnyHandler | undefined {
  const byName = new Map<string, AnyHandler>();
  const add = <M extends ControlMethod>(name: M) => {
    const handler = handlers[name];
    byName.set(name, (params, call) => handler.run(handler.params(params, 'params'), call));
  };
  for (const name of Object.keys(handlers) as ControlMethod[]) add(name);
  return (method) => byName.get(method);
}
