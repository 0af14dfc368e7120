import { once } from 'node:events';
import type { Show } from './show.ts';

export interface KeepOptions {
  readonly show: Show;
  readonly self: readonly string[];
  readonly epmuxHome: string;
  readonly app: string;
  readonly herokuUrl: string;
  /** Of this demo's stand-in alone. */
  readonly token: string;
  /** The node of web.1. */
  readonly node: string;
  readonly interrupted: AbortSignal;
}

/** Tells what to try in another terminal, and waits for a signal. */
export async function keep(options: KeepOptions): Promise<void> {
  const { show, interrupted } = options;
  show.line();
  for (const line of invitation(options)) show.line(line);
  if (!interrupted.aborted) await once(interrupted, 'abort');
  show.line();
}

function invitation({ self, epmuxHome, app, herokuUrl, token, node }: KeepOptions): string[] {
  const words = self.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  return [
    'It stays up until Ctrl-C. In another terminal:',
    '',
    `  export EPMUX_HOME='${epmuxHome}'`,
    `  alias epmux="${words.join(' ')}"`,
    '  epmux status',
    '  epmux nodes',
    '  epmux ping web.2',
    '  epmux remsh web.1',
    `  eval "$(epmux env)" && iex --sname me --remsh ${node}`,
    '',
    'and a restart, to be watched by `epmux status --watch`:',
    '',
    `  curl -X DELETE -H 'Authorization: Bearer ${token}' ${herokuUrl}/apps/${app}/dynos/web.2`,
  ];
}
