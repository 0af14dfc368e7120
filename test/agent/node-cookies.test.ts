import assert from 'node:assert/strict';
import { createLineLogger } from '../../src/agent/line-logger.ts';
import { COOKIE_LIMITS, NodeCookies } from '../../src/agent/node-cookies.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NODE = { name: 'app', port: 40_000 };
const FULL = { name: 'app@dyno', creation: 1 };

describe('the cookies of nodes', () => {
  let clock: ManualClock;
  let places: string[];
  let accepted: string;
  let down: boolean;
  let foreign: boolean;
  let shown: string[];
  let log: string[];
  let cookies: NodeCookies;

  beforeEach(() => {
    clock = new ManualClock();
    places = ['wrong1', 'right', 'wrong2'];
    accepted = 'right';
    down = false;
    foreign = false;
    shown = [];
    log = [];
    cookies = new NodeCookies({
      clock,
      log: createLineLogger('debug', (line) => log.push(line)),
      search: async () => ({
        candidates: places.map((cookie, index) => ({ cookie, where: `place ${index}` })),
        looked: 'some places',
      }),
      accepts: async (_node, _name, cookie) => {
        if (down) throw new Error('silent');
        if (foreign) throw new EpmuxError('PERMISSION_DENIED', "not its user's");
        shown.push(cookie);
        return cookie === accepted;
      },
    });
  });
  afterEach(() => {
    assert(!log.some((line) => /right|wrong/.test(line)), 'a cookie in the log');
  });

  it('are those that the nodes accept, the most likely tried first', async () => {
    assert.equal(cookies.of('app'), undefined);
    assert.equal(await cookies.find(NODE, FULL), true);
    assert.equal(cookies.of('app'), 'right');
    assert.deepEqual(shown, ['wrong1', 'right']);
  });

  it('are looked for once in the life of a node, and anew for a new one', async () => {
    await cookies.find(NODE, FULL);
    await cookies.find(NODE, FULL);
    assert.equal(shown.length, 2);
    for (const [node, identity] of [
      [NODE, { ...FULL, creation: 2 }],
      [
        { ...NODE, port: 40_001 },
        { ...FULL, creation: 2 },
      ],
    ] as const) {
      shown = [];
      await cookies.find(node, identity);
      assert.deepEqual(shown, ['wrong1', 'right']);
    }
  });

  it('are not guessed at: few are shown to a node, and none twice', async () => {
    places = Array.from({ length: 9 }, (_, index) => `wrong${index}`);
    assert.equal(await cookies.find(NODE, FULL), false);
    assert.deepEqual(shown, places.slice(0, COOKIE_LIMITS.handshakes));
    await cookies.find(NODE, FULL);
    assert.deepEqual(shown, places);
    await cookies.find(NODE, FULL);
    assert.deepEqual(shown, places);
  });

  it('are shown again to a node that did not answer', async () => {
    down = true;
    assert.equal(await cookies.find(NODE, FULL), undefined);
    down = false;
    assert.equal(await cookies.find(NODE, FULL), true);
  });

  it('are shown no more where they may not be, and the person is told', async () => {
    foreign = true;
    assert.equal(await cookies.find(NODE, FULL), false);
    assert.deepEqual(shown, []);
    assert.match(cookies.refused('app', false).text, /the agent shows it none: not its user's/);
    foreign = false;
    assert.equal(await cookies.find(NODE, FULL), true);
  });

  it('are looked for again after a refusal, but not in a loop', async () => {
    places = ['wrong1'];
    await cookies.find(NODE, FULL);
    const first = cookies.refused('app', false);
    assert.equal(first.again, false);
    assert.match(first.text, /app@dyno refused the cookie.*some places/);
    clock.advance(COOKIE_LIMITS.againMs);
    assert.equal(cookies.refused('app', false).again, true);
    places = ['wrong1', 'right'];
    assert.equal(await cookies.find(NODE, FULL), true);
    assert.deepEqual(shown, ['wrong1', 'right']);
  });

  it('are given up when the node refuses them later', async () => {
    await cookies.find(NODE, FULL);
    assert.match(cookies.refused('app', true).text, /place 1/);
    assert.equal(
      cookies.of('app'),
      'right',
      'a refusal that follows at once may be another reason',
    );
    clock.advance(COOKIE_LIMITS.againMs);
    assert.equal(cookies.refused('app', true).again, true);
    assert.equal(cookies.of('app'), undefined);
    accepted = 'wrong2';
    assert.equal(await cookies.find(NODE, FULL), true);
    assert.deepEqual(shown, ['wrong1', 'right', 'right', 'wrong2']);
  });

  it('stay as they are when somebody brings a wrong one', async () => {
    await cookies.find(NODE, FULL);
    clock.advance(COOKIE_LIMITS.againMs);
    const { again, text } = cookies.refused('app', false);
    assert.equal(again, false);
    assert.match(text, /that was brought/);
    assert.equal(cookies.of('app'), 'right');
  });

  it('are forgotten from the oldest on when there are too many', async () => {
    places = ['right'];
    for (let index = 0; index <= COOKIE_LIMITS.nodes; index += 1) {
      await cookies.find({ name: `n${index}`, port: 1 }, { name: `n${index}@dyno`, creation: 1 });
    }
    assert.equal(cookies.of('n0'), undefined);
    assert.equal(cookies.of(`n${COOKIE_LIMITS.nodes}`), 'right');
  });

  it('are nothing to tell of where the node is not known', () => {
    assert.deepEqual(cookies.refused('nobody', false), {
      again: false,
      text: 'nobody refused the cookie',
    });
  });
});
