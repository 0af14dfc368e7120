import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { type Connection, ConnectionLoop } from '../../../src/daemon/links/connection-loop.ts';
import { EpmuxError, type ErrorCode, type ErrorDetails } from '../../../src/protocol/errors.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** Attempts that the test settles one by one. */
class Attempts {
  count = 0;
  signal: AbortSignal | undefined;
  #succeed: (connection: Connection) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #lose: (error: EpmuxError) => void = () => undefined;

  readonly begin = (signal: AbortSignal): Promise<Connection> => {
    this.count += 1;
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.#succeed = resolve;
      this.#fail = reject;
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };

  async succeed(): Promise<void> {
    this.#succeed({
      lost: new Promise((resolve) => {
        this.#lose = resolve;
      }),
    });
    await turn();
  }

  async fail(code: ErrorCode = 'CONNECT_FAILED', details: ErrorDetails = {}): Promise<void> {
    this.#fail(new EpmuxError(code, 'x', { details }));
    await turn();
  }

  async lose(code: ErrorCode = 'PIPE_LOST'): Promise<void> {
    this.#lose(new EpmuxError(code, 'lost'));
    await turn();
  }
}

describe('a connection that is kept alive', () => {
  let clock: ManualClock;
  let attempts: Attempts;
  let states: string[];
  let failures: string[];
  let loop: ConnectionLoop;

  beforeEach(() => {
    clock = new ManualClock();
    attempts = new Attempts();
    states = [];
    failures = [];
    loop = new ConnectionLoop({
      clock,
      attempt: attempts.begin,
      onChange: (state) => states.push(state),
      onAttemptFailed: ({ code }) => failures.push(code),
      limits: DEFAULT_LIMITS,
      // The longest wait that the jitter may draw.
      random: () => 0.999,
    });
    loop.start();
  });
  afterEach(async () => {
    const closed = loop.close();
    await closed;
    assert.equal(loop.machine.state, 'down');
    assert.equal(clock.waiting, 0);
  });

  const pass = async (ms: number) => {
    clock.advance(ms);
    await turn();
  };

  it('is attempted at once, and again when it is lost', async () => {
    assert.equal(attempts.count, 1);
    await attempts.succeed();
    await pass(60_000);
    await attempts.lose();
    assert.equal(loop.machine.lastError?.code, 'PIPE_LOST');
    await pass(600);
    assert.equal(attempts.count, 2);
    await attempts.succeed();
    assert.deepEqual(states, ['up', 'reconnecting', 'up']);
    assert.equal(loop.machine.reconnects, 1);
  });

  describe('to an agent that breaks the protocol once it is attached', () => {
    const waitAfterBreach = async (heldMs: number): Promise<number> => {
      await attempts.succeed();
      await pass(heldMs);
      const { count } = attempts;
      await attempts.lose('PROTOCOL');
      let waited = 0;
      for (; attempts.count === count; waited += 100) await pass(100);
      return waited;
    };

    it('is attempted more and more rarely, which its error says', async () => {
      const waits: number[] = [];
      for (let breach = 0; breach < 6; breach += 1) waits.push(await waitAfterBreach(2_000));
      assert.ok((waits[0] ?? 0) <= 700, String(waits));
      assert.ok((waits.at(-1) ?? 0) > 28_000, String(waits));
      assert.ok((waits.at(-1) ?? 0) <= 30_100, String(waits));
      assert.deepEqual(loop.machine.lastError?.code, 'PROTOCOL');
      assert.match(loop.machine.lastError.message, /^lost; tried again after (29|30) s$/);
    });

    it('is attempted soon again after one that held for long, or was lost in another way', async () => {
      for (let breach = 0; breach < 4; breach += 1) await waitAfterBreach(0);
      assert.ok((await waitAfterBreach(60_000)) <= 700);
      for (let breach = 0; breach < 4; breach += 1) await waitAfterBreach(0);
      await attempts.succeed();
      await pass(2_000);
      await attempts.lose();
      await pass(700);
      assert.ok((await waitAfterBreach(0)) <= 700);
      assert.equal(loop.machine.lastError?.message, 'lost');
    });
  });

  it('is attempted after waits that grow, but by no more than a fifth of the outage', async () => {
    const waits: number[] = [];
    for (let failure = 0; failure < 40; failure += 1) {
      const { count } = attempts;
      await attempts.fail();
      const outage = clock.now();
      let waited = 0;
      while (attempts.count === count) {
        waited += 50;
        await pass(50);
      }
      waits.push(waited);
      assert.ok(waited <= Math.max(1_000, outage / 5) + 50, `${waited} after ${outage}`);
      assert.ok(waited <= 30_050);
    }
    assert.ok((waits.at(-1) ?? 0) > 20_000);
    assert.equal(failures.length, 40);
    assert.deepEqual(states, []);
  });

  it('is attempted at once after silence, for some time', async () => {
    await attempts.succeed();
    await attempts.lose();
    await pass(600);
    for (let attempt = 2; attempt < 10; attempt += 1) {
      assert.equal(attempts.count, attempt);
      await pass(10_000);
      await attempts.fail('CONNECT_FAILED');
      await pass(0);
    }
    await pass(16 * 60_000);
    const { count } = attempts;
    await pass(1);
    assert.equal(attempts.count, count);
  });

  describe('by a way that Heroku wants to be asked for less', () => {
    const attemptsWithin = async (ms: number): Promise<number> => {
      const { count } = attempts;
      for (let passed = 0; passed < ms; passed += 500) await pass(500);
      return attempts.count - count;
    };

    it('is attempted again after a minute, which its error says', async () => {
      await attempts.fail('HEROKU_RATE_LIMITED');
      assert.equal(loop.machine.lastError?.message, 'x; tried again after 60 s');
      assert.equal(await attemptsWithin(59_500), 0);
      assert.equal(await attemptsWithin(500), 1);
    });

    it('is attempted again when Heroku says, also after silence', async () => {
      await attempts.succeed();
      await attempts.lose();
      await pass(600);
      await pass(6_000);
      await attempts.fail('HEROKU_RATE_LIMITED', { retryAfterMs: '120000' });
      assert.equal(await attemptsWithin(119_500), 0);
      assert.equal(await attemptsWithin(500), 1);
    });

    it('is attempted at once when there is a sign that it may hold', async () => {
      await attempts.fail('HEROKU_RATE_LIMITED');
      loop.again();
      assert.equal(await attemptsWithin(500), 1);
    });
  });

  it('is not attempted for longer than its limit', async () => {
    await pass(30_000);
    assert.ok(attempts.signal?.aborted);
    assert.deepEqual(failures, ['TIMEOUT']);
  });

  it('is given up on an error that the next attempt would repeat, until it is asked for again', async () => {
    await attempts.fail('SECRET_REFUSED');
    assert.deepEqual(states, ['failed']);
    await pass(24 * 60 * 60_000);
    assert.equal(attempts.count, 1);
    loop.again();
    await turn();
    assert.equal(attempts.count, 2);
    await attempts.succeed();
    assert.deepEqual(states, ['failed', 'connecting', 'up']);
  });

  it('goes back to reconnecting when it had been up before it was given up', async () => {
    await attempts.succeed();
    await attempts.lose();
    await pass(600);
    await attempts.fail('HOST_KEY_MISMATCH');
    loop.again();
    await turn();
    assert.deepEqual(states, ['up', 'reconnecting', 'failed', 'reconnecting']);
  });

  it('is attempted at once when there is a sign that it may hold', async () => {
    for (let failure = 0; failure < 10; failure += 1) {
      await attempts.fail();
      await pass(30_000);
    }
    await attempts.fail();
    const { count } = attempts;
    loop.again();
    await turn();
    assert.equal(attempts.count, count + 1);
  });

  it('is attempted anew when there is such a sign and the attempt that runs may hang', async () => {
    await pass(1_000);
    loop.again();
    await turn();
    assert.equal(attempts.count, 1);
    await pass(1_000);
    loop.again();
    await turn();
    assert.equal(attempts.count, 2);
    assert.deepEqual(failures, []);
  });

  it('comes about although such signs come all the time', async () => {
    const begun: number[] = [];
    for (let second = 1; second <= 44; second += 1) {
      const { count } = attempts;
      await pass(1_000);
      loop.again();
      await turn();
      if (attempts.count > count) begun.push(second);
    }
    assert.deepEqual(begun, [2, 6, 14, 29, 44]);
    await attempts.succeed();
    assert.equal(states.at(-1), 'up');
    await attempts.lose();
    await pass(3_000);
    const { count } = attempts;
    await pass(2_000);
    loop.again();
    await turn();
    assert.equal(attempts.count, count + 1);
  });

  it('is attempted anew when what the attempt that runs proves itself with is outdated', async () => {
    await pass(100);
    loop.again(true);
    await turn();
    assert.equal(attempts.count, 2);
    assert.deepEqual(failures, []);
  });

  it('that holds for moments only is attempted more slowly, within seconds', async () => {
    for (let flap = 0; flap < 20; flap += 1) {
      await attempts.succeed();
      await attempts.lose();
      const { count } = attempts;
      let waited = 0;
      while (attempts.count === count) {
        waited += 50;
        await pass(50);
      }
      assert.ok(waited <= 3_050);
      if (flap === 19) assert.ok(waited > 1_000);
    }
  });

  it('is closed in the middle of an attempt, and what comes of it is dropped', async () => {
    const closed = loop.close();
    assert.ok(attempts.signal?.aborted);
    await closed;
    assert.deepEqual(states, ['down']);
  });

  it('makes INTERNAL of what is no error of ours, and goes on', async () => {
    loop.again();
    const failed = new ConnectionLoop({
      clock,
      attempt: () => Promise.reject(new TypeError('a bug')),
      onChange: () => undefined,
      onAttemptFailed: ({ code }) => failures.push(code),
      limits: DEFAULT_LIMITS,
    });
    failed.start();
    await turn();
    assert.deepEqual(failures, ['INTERNAL']);
    await failed.close();
  });
});
