import { setTimeout as delay } from 'node:timers/promises';
import { EpmuxError } from '../protocol/errors.ts';
import type { Caller } from './caller.ts';
import type { Scene } from './scene.ts';

const CALL_MS = 2_000;
/** So long into the call the connection is cut. */
const CUT_AFTER_MS = 500;

/** A call to web.1, whose connection is reset in the middle. */
export async function cutInTheMiddle(scene: Scene, caller: Caller): Promise<void> {
  const { show, app, laptop, interrupted } = scene;
  const { ssh } = await app.dyno('web.1');
  const { resumes } = await laptop.link('web.1');
  const start = performance.now();
  await show.step(
    'call',
    () => caller.begin(CALL_MS),
    () => ({ detail: caller.describe(CALL_MS), figureMs: null }),
  );
  await delay(CUT_AFTER_MS, undefined, { signal: interrupted });
  await show.step(
    'cut',
    async () => {
      if (ssh.cut() === 0) throw new EpmuxError('DEMO_FAILED', 'there was no connection to cut');
    },
    () => ({ detail: 'the SSH connection to web.1, in the middle of the call', figureMs: null }),
  );
  await show.step(
    'resumed',
    () => laptop.resumed('web.1', resumes),
    () => ({ detail: 'the same session over a new SSH connection' }),
  );
  await show.step(
    'returned',
    async () => {
      const { value, nodedowns } = await caller.returned();
      if (value !== caller.expected || nodedowns > 0) {
        throw new EpmuxError('DEMO_FAILED', `the call gave ${value} after ${nodedowns} nodedown`);
      }
      return { value, tookMs: performance.now() - start };
    },
    ({ value, tookMs }) => ({
      detail: `the same call: ${value}, no nodedown`,
      figureMs: tookMs,
    }),
  );
}
