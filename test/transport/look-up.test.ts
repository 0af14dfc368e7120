import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { LookUps } from '../../src/transport/look-up.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A name server that answers when the test says so. */
class Resolver {
  readonly asked: string[] = [];
  readonly #waiting: ((found: string | Error) => void)[] = [];

  readonly ask = (host: string): Promise<readonly string[]> => {
    this.asked.push(host);
    return new Promise((resolve, reject) => {
      this.#waiting.push((found) => (found instanceof Error ? reject(found) : resolve([found])));
    });
  };

  async answer(found: string | Error): Promise<void> {
    this.#waiting.shift()?.(found);
    await turn();
  }
}

describe('a look-up of a name', () => {
  let clock: ManualClock;
  let resolver: Resolver;
  let lookUps: LookUps;

  beforeEach(() => {
    clock = new ManualClock();
    resolver = new Resolver();
    lookUps = new LookUps(resolver.ask, clock);
  });

  it('is one for all who ask for that name while it lasts, and none for others', async () => {
    const all = Array.from({ length: 100 }, () => lookUps.find('db.vpn.example'));
    const other = lookUps.find('example.com');
    assert.deepEqual(resolver.asked, ['db.vpn.example', 'example.com']);
    await resolver.answer('10.0.0.1');
    await resolver.answer('10.0.0.2');
    assert.deepEqual(new Set((await Promise.all(all)).flat()), new Set(['10.0.0.1']));
    assert.deepEqual(await other, ['10.0.0.2']);
  });

  it('serves while it is young', async () => {
    const first = lookUps.find('a');
    clock.advance(60_000);
    await resolver.answer('10.0.0.1');
    clock.advance(4_999);
    assert.equal(lookUps.find('a'), first);
    clock.advance(1);
    void lookUps.find('a');
    assert.deepEqual(resolver.asked, ['a', 'a']);
  });

  it('that failed is begun anew by whoever asks next', async () => {
    const failed = assert.rejects(lookUps.find('a'), /ENOTFOUND/);
    await resolver.answer(new Error('ENOTFOUND'));
    await failed;
    void lookUps.find('a');
    assert.equal(resolver.asked.length, 2);
  });

  it('does not serve in another network, whether it has ended or not', async () => {
    void lookUps.find('ended');
    await resolver.answer('10.0.0.1');
    void lookUps.find('hangs');
    lookUps.outdate();
    void lookUps.find('ended');
    const second = lookUps.find('hangs');
    assert.deepEqual(resolver.asked, ['ended', 'hangs', 'ended', 'hangs']);
    assert.equal(lookUps.find('hangs'), second);
    // The one from before does not serve when it comes at last.
    await resolver.answer('10.0.0.1');
    assert.equal(lookUps.find('hangs'), second);
  });

  it('is begun a few times at most while none ends, however often the network changes', () => {
    for (let change = 0; change < 100; change += 1) {
      void lookUps.find('hangs');
      lookUps.outdate();
    }
    assert.equal(resolver.asked.length, 4);
    void lookUps.find('another');
    assert.equal(resolver.asked.length, 5);
  });
});
