import type { LinkStatus } from '../daemon/control/api.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Scene } from './scene.ts';

const DYNO = 'web.2';
const ASK_MS = 10_000;

/** A `ps:restart` of web.2, which concerns web.2 alone. */
export async function restart(scene: Scene): Promise<void> {
  const { show, app, laptop, guest } = scene;
  const { nodeName: oldNode } = await app.dyno(DYNO);
  const before = await laptop.links();
  const { incarnation } = await laptop.link(DYNO);
  const start = performance.now();
  await show.step(
    'ps:restart',
    () => askForRestart(scene),
    () => ({ detail: `${DYNO} ends, and another one starts` }),
  );
  if (guest !== undefined) {
    await show.step(
      'nodedown',
      async () => assertOnly(oldNode, [await guest.nodedown(), ...(await guest.nodedowns())]),
      () => ({ detail: `me@laptop has lost ${oldNode}, and no other` }),
    );
  }
  await show.step(
    'back',
    async () => {
      await app.dyno(DYNO);
      const { name } = await laptop.back(DYNO, incarnation);
      await guest?.reach(name);
      assertUntouched(before, await laptop.links());
      assertOnly(undefined, (await guest?.nodedowns()) ?? []);
      return { name, tookMs: performance.now() - start };
    },
    ({ name, tookMs }) => ({
      detail: `${name}, by itself; the other links as they were`,
      figureMs: tookMs,
    }),
  );
}

/** As the official CLI's `ps:restart` does. */
async function askForRestart({ app, heroku, interrupted }: Scene): Promise<void> {
  const response = await fetch(`${heroku.url}/apps/${app.name}/dynos/${DYNO}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${heroku.token}` },
    signal: AbortSignal.any([interrupted, AbortSignal.timeout(ASK_MS)]),
  }).catch((cause: Error) => {
    if (interrupted.aborted) throw cause;
    throw new EpmuxError('DEMO_FAILED', `the platform API: ${cause.message}`, { cause });
  });
  await response.body?.cancel();
  if (response.ok) return;
  throw new EpmuxError('DEMO_FAILED', `the platform API answered ${response.status}`);
}

function assertOnly(expected: string | undefined, gone: readonly string[]): void {
  const others = gone.filter((node) => node !== expected);
  if (others.length === 0) return;
  throw new EpmuxError('DEMO_FAILED', `nodedown of ${others.join(', ')} too`);
}

/** The same sessions as before, and never resumed since. */
function assertUntouched(before: readonly LinkStatus[], after: readonly LinkStatus[]): void {
  for (const { dyno, incarnation, resumes } of before) {
    if (dyno === DYNO) continue;
    const now = after.find((link) => link.dyno === dyno);
    if (now?.state === 'up' && now.incarnation === incarnation && now.resumes === resumes) continue;
    throw new EpmuxError('DEMO_FAILED', `the link to ${dyno} was touched too`);
  }
}
