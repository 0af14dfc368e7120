import assert from 'node:assert/strict';
import { forward } from '../../src/daemon/forward.ts';
import { NameTable } from '../../src/daemon/names.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

describe('a local connection that is led on', () => {
  it('is closed when its cookies can not be read in time', async () => {
    const clock = new ManualClock();
    const logger = new RecordingLogger();
    const local = new MemoryPipe();
    const led = forward(local, {
      short: 'app',
      cookies: { agentKnows: false, production: () => new Promise(() => undefined) },
      openNode: () => assert.fail('nothing is opened for it'),
      relay: () => ({ hiddenOnly: false, ticks: 'feed' }),
      parts: {
        names: new NameTable(),
        clock,
        logger,
        localCookie: async () => 'local',
        limits: DEFAULT_LIMITS,
      },
      onCut: () => undefined,
    });
    clock.advance(9_999);
    await new Promise((resolve) => setImmediate(resolve));
    const closedWith = (): unknown => local.closed?.error?.code;
    assert.equal(closedWith(), undefined);
    clock.advance(1);
    await led;
    assert.equal(closedWith(), 'TIMEOUT');
    assert.ok(logger.has('its cookies were not there'));
    assert.equal(clock.waiting, 0);
  });
});
