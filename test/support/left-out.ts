/**
 * For what can't run here: skips it, and its title tells why, so that the report of the run does.
 * Called from a test it leaves out that test, from a `before` hook all of its suite.
 */
export function leaveOut(context: Mocha.Context, reason: string): never {
  const test: (Mocha.Runnable & { readonly type?: string }) | undefined = context.test;
  const titled = test?.type === 'hook' ? test.parent : test;
  if (titled !== undefined) titled.title += ` (left out: ${reason})`;
  return context.skip();
}

export const NO_ERLANG = 'there is no erl on this machine';
export const NO_ELIXIR = 'there is no elixir on this machine';
export const NO_TERMINALS = 'sshd of an ordinary user can give no terminals here';
