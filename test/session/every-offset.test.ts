import assert from 'node:assert/strict';
import { OpeningPair, type OpeningPairOptions } from '../support/opening-pair.ts';
import type { Cut } from '../support/session-pair.ts';
import type { Direction } from '../support/simulated-pipe.ts';

const BOTH_WAYS: readonly Direction[] = ['toAgent', 'toDaemon'];
const HOUR = 3_600_000;

/**
 * Every kind of reliable frame: a directory, a stream that is finished both ways, one that is
 * rejected and one that is reset.
 */
function exchange(options: OpeningPairOptions = {}): OpeningPair {
  const pair = new OpeningPair(options);
  const { daemon, agent } = pair;
  agent.session.setDirectory({
    epoch: 3,
    epmdDown: false,
    truncated: false,
    nodes: [
      { name: 'a@b', visible: true, cookieKnown: false, port: 9, creation: 1, release: '27' },
    ],
  });
  agent.onEvent((event) => {
    if (event.type !== 'opened') return;
    if (event.target === 'node/no') {
      agent.session.reject(event.stream, { code: 11, text: 'none' });
      return;
    }
    agent.session.accept(event.stream);
    agent.send(event.stream, 250, true);
  });
  pair.connect();
  const whole = daemon.open('node/a');
  daemon.send(whole, 350, true);
  daemon.open('node/no');
  const reset = daemon.open('node/c');
  daemon.send(reset, 10);
  pair.timeline.at(400, () => {
    if (daemon.record(reset).closed === undefined) daemon.reset(reset);
  });
  return pair;
}

function arrived({ daemon, agent, now }: OpeningPair): boolean {
  const quiet = [daemon, agent].every((end) => {
    const { streams, unackedBytes } = end.session.stats(now);
    return streams === 0 && unackedBytes === 0;
  });
  return quiet && daemon.record(1).received === 250 && agent.record(1).received === 350;
}

function checkRecovered(pair: OpeningPair, about: string): void {
  pair.run(5_000);
  const { daemon, agent } = pair;
  assert.ok(arrived(pair), `${about}: all has arrived`);
  assert.deepEqual([daemon.isAttached, agent.isAttached], [true, true], about);
  assert.deepEqual([daemon.record(1).closed?.code, agent.record(1).closed?.code], [0, 0], about);
  assert.deepEqual(daemon.record(3).closed, { code: 11, text: 'none' }, about);
  assert.equal(agent.record(5).closed?.code, 14, about);
  assert.equal(daemon.events('directory').length, 1, about);
  assert.deepEqual([...daemon.events('ended'), ...agent.events('ended')], [], about);
}

/** How many bytes an exchange puts on its last pipe. */
function recorded(direction: Direction, cuts: readonly Cut[] = []): number {
  const pair = exchange({ cuts });
  checkRecovered(pair, 'recorded');
  return pair.pipe?.delivered(direction) ?? 0;
}

/** Hello, proof and attach; the exchange behind them. */
const HANDSHAKE_BYTES = 100;

describe('a cut at every byte of an exchange, from the first of the hello on', () => {
  for (const direction of BOTH_WAYS) {
    it(`costs a pause and nothing else, ${direction}`, () => {
      const total = recorded(direction);
      assert.ok(total > HANDSHAKE_BYTES + 200, `${total} bytes`);
      for (let afterBytes = 0; afterBytes < total; afterBytes += 1) {
        const pair = exchange({ cuts: [{ direction, afterBytes }] });
        checkRecovered(pair, `cut after ${afterBytes}`);
        assert.equal(pair.pipes, 2, `cut after ${afterBytes}`);
      }
    }).timeout(60_000);

    it(`does so on the pipe that resumes too, ${direction}`, () => {
      const first: Cut = { direction: 'toAgent', afterBytes: 300 };
      const total = recorded(direction, [first]);
      assert.ok(total > HANDSHAKE_BYTES, `${total} bytes`);
      for (let afterBytes = 0; afterBytes < total; afterBytes += 1) {
        const pair = exchange({ cuts: [first, { direction, afterBytes }] });
        checkRecovered(pair, `cut after ${afterBytes}`);
        assert.equal(pair.pipes, 3, `cut after ${afterBytes}`);
      }
    }).timeout(60_000);

    it(`ends in a clean refusal where the agent is another one by then, ${direction}`, () => {
      const first: Cut = { direction: 'toAgent', afterBytes: 300 };
      for (let afterBytes = 0; afterBytes <= 160; afterBytes += 1) {
        const pair = exchange({ cuts: [first, { direction, afterBytes }], newAgentFromPipe: 2 });
        pair.run(5_000);
        const [ended, ...more] = pair.daemon.events('ended');
        assert.equal(ended?.error?.code, 'SESSION_LOST', `cut after ${afterBytes}`);
        assert.deepEqual(more, []);
        assert.ok(pair.pipes <= 3, `${pair.pipes} pipes`);
        const { streams, heldBytes } = pair.daemon.session.stats(pair.now);
        assert.deepEqual([streams, heldBytes], [0, 0]);
      }
    }).timeout(60_000);
  }
});

describe('a clock set forward by 8 hours at every moment of an exchange', () => {
  const cuts: Cut[] = [{ direction: 'toAgent', afterBytes: 300 }];

  /**
   * Moments at which something happens, from the first hello to the last acknowledgement, a cut and
   * a resume in between.
   */
  function moments(): number {
    const pair = exchange({ cuts });
    let steps = 0;
    while (!arrived(pair)) {
      assert.ok(pair.step(10_000));
      steps += 1;
    }
    return steps;
  }

  it('leaves the session alive or resumed, or ended at both ends with its reason', () => {
    const outcomes = { alive: 0, refused: 0 };
    const total = moments();
    assert.ok(total > 20, `${total} moments`);
    for (let at = 0; at < total; at += 1) {
      const pair = exchange({ cuts });
      for (let step = 0; step < at; step += 1) pair.step(10_000);
      pair.timeline.jump(8 * HOUR);
      pair.run(30_000);
      const { daemon, agent } = pair;
      if (arrived(pair) && daemon.isAttached && agent.isAttached) {
        outcomes.alive += 1;
        continue;
      }
      outcomes.refused += 1;
      assert.equal(daemon.events('ended')[0]?.error?.code, 'SESSION_LOST', `moment ${at}`);
      pair.run(HOUR);
      assert.equal(agent.isOver || !agent.isAttached, true, `moment ${at}`);
      for (const end of [daemon, agent]) {
        assert.equal(end.session.stats(pair.now).heldBytes, 0, `moment ${at}`);
      }
    }
    assert.ok(outcomes.alive > outcomes.refused, JSON.stringify(outcomes));
  }).timeout(60_000);
});
