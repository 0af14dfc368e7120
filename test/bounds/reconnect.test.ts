import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { ConnectionLoop } from '../../src/daemon/links/connection-loop.ts';
import { EpmuxError, type ErrorCode } from '../../src/protocol/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';

const LIMITS = { attemptMs: 2_000, reconnectFirstMs: 500, reconnectMaxMs: 3_000 };

describe('the rate of reconnecting', () => {
  let clock: ManualClock;
  let attempts: number;
  let refuse: ErrorCode | undefined;
  let failures: string[];
  let loop: ConnectionLoop;

  function start(random: number, limits = LIMITS): void {
    clock = new ManualClock();
    attempts = 0;
    failures = [];
    loop = new ConnectionLoop({
      clock,
      attempt: (signal) => {
        attempts += 1;
        if (refuse !== undefined) return Promise.reject(new EpmuxError(refuse, 'refused'));
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
      onChange: () => {},
      onAttemptFailed: ({ message }) => failures.push(message),
      random: () => random,
      limits,
    });
    loop.start();
  }
  afterEach(() => loop.close());

  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(100);
      await turn();
    }
  }

  for (const reconnectFirstMs of [500, 10_000]) {
    for (const code of ['CONNECT_FAILED', 'AGENT_MISSING'] as const) {
      it(`is never higher than \`reconnect-first-ms=${reconnectFirstMs}\` allows: ${code}`, async () => {
        refuse = code;
        start(0, { ...LIMITS, reconnectFirstMs, reconnectMaxMs: 30_000 });
        await turn();
        await pass(60_000);
        assert.equal(attempts, 1 + 60_000 / reconnectFirstMs);
      });
    }
  }

  it('is never lower than `reconnect-max-ms` allows, however long it fails', async () => {
    refuse = 'CONNECT_FAILED';
    start(0.999);
    await turn();
    await pass(600_000);
    const { length } = failures;
    await pass(600_000);
    const more = failures.length - length;
    const [least, most] = [
      600_000 / LIMITS.reconnectMaxMs,
      (600_000 / LIMITS.reconnectMaxMs) * 1.1,
    ];
    assert.ok(more >= least - 1 && more <= most, `${more} attempts in ten minutes`);
  });

  it('ends an attempt at `attempt-ms`', async () => {
    refuse = undefined;
    start(0);
    await pass(LIMITS.attemptMs - 100);
    assert.deepEqual(failures, []);
    await pass(100);
    assert.deepEqual(failures, ['no connection within 2 s']);
  });
});
