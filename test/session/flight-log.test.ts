import assert from 'node:assert/strict';
import { FlightLog } from '../../src/session/flight-log.ts';

describe('the flight log', () => {
  it('gives the rate of what was delivered since the flight was sent', () => {
    const log = new FlightLog();
    log.begin(500, 0);
    log.onSent(1_500, 100, false);
    const sample = log.onAcknowledged(1_500, 150);
    assert.deepEqual(sample, { rttMs: 50, bytesPerMs: 20, afterPause: true, endsRound: true });
    assert.equal(log.inFlight, 0);
  });

  it('has nothing to say of what is known already', () => {
    const log = new FlightLog();
    log.begin(0, 0);
    log.onSent(100, 0, false);
    log.onAcknowledged(60, 10);
    assert.equal(log.onAcknowledged(60, 20), undefined);
    assert.equal(log.onAcknowledged(50, 20), undefined);
    assert.equal(log.onAcknowledged(100, 20)?.rttMs, 20);
  });

  it('is not fooled by acknowledgements that come in a clump', () => {
    const log = new FlightLog();
    log.begin(0, 0);
    for (let n = 1; n <= 10; n++) log.onSent(n * 1_000, n * 10, false);
    const rates = Array.from(
      { length: 10 },
      (_, n) => log.onAcknowledged((n + 1) * 1_000, 200)?.bytesPerMs ?? 0,
    );
    assert.ok(Math.max(...rates) <= 111, String(rates));
  });

  it('calls what follows a pause so, and what follows that not', () => {
    const log = new FlightLog();
    log.begin(0, 0);
    log.onSent(1_000, 100, false);
    log.onSent(2_000, 110, false);
    assert.equal(log.onAcknowledged(1_000, 150)?.afterPause, true);
    log.onSent(3_000, 152, false);
    assert.equal(log.onAcknowledged(2_000, 160)?.afterPause, true);
    assert.equal(log.onAcknowledged(3_000, 200)?.afterPause, false);
  });
});
