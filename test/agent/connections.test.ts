import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Connections } from '../../src/agent/connections.ts';

class Caller extends EventEmitter {
  readonly remoteAddress: string;
  isReset = false;

  constructor(remoteAddress = '127.0.0.1') {
    super();
    this.remoteAddress = remoteAddress;
  }

  resetAndDestroy(): void {
    this.isReset = true;
  }

  destroy(): void {}
}

describe("the connections to the agent's port", () => {
  /** What is drawn, of how many. */
  let draws: number[] = [];
  const drawing = (connections: number, waitingPipes: number, lot = 0): Connections<Caller> =>
    new Connections({ connections, waitingPipes }, (below) => {
      draws.push(below);
      return lot;
    });
  const enter = (all: Connections<Caller>, ...addresses: string[]): Caller[] =>
    addresses.map((address) => {
      const caller = new Caller(address);
      all.enter(caller);
      return caller;
    });
  const LOCAL = '127.0.0.1';

  beforeEach(() => {
    draws = [];
  });

  it('lose the one that is drawn when more wait than may, never the newcomer', () => {
    const all = drawing(100, 3, 1);
    const [first, second, third] = enter(all, LOCAL, LOCAL, LOCAL);
    assert.equal(all.enter(new Caller()), second);
    assert.deepEqual(
      [first, second, third].map((caller) => caller?.isReset),
      [false, true, false],
    );
    assert.deepEqual(draws, [3]);
  });

  it('lose none of those that have proved themselves', () => {
    const all = drawing(3, 3);
    const proved = enter(all, LOCAL, LOCAL);
    for (const caller of proved) all.hasProved(caller);
    const [waiting] = enter(all, LOCAL);
    assert.equal(all.enter(new Caller()), waiting);
    assert(proved.every(({ isReset }) => !isReset));
  });

  it('lose the newcomer where all others have proved themselves', () => {
    const all = drawing(2, 2);
    for (const caller of enter(all, LOCAL, LOCAL)) all.hasProved(caller);
    const newcomer = new Caller();
    assert.equal(all.enter(newcomer), newcomer);
    assert(newcomer.isReset);
  });

  it('have a place again when one is closed', () => {
    const all = drawing(2, 2);
    const [first] = enter(all, LOCAL, LOCAL);
    first?.emit('close');
    assert.equal(all.enter(new Caller()), undefined);
  });

  it('lose one of the source that has most of them', () => {
    const all = drawing(100, 4);
    const [daemon, other] = enter(all, '10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.2');
    assert.equal(all.enter(new Caller('10.0.0.3')), other);
    assert.equal(daemon?.isReset, false);
  });

  for (const [what, crowd] of [
    ['the addresses of this host', ['127.0.0.1', '127.9.9.9', '::ffff:127.0.0.1', '::1']],
    ['those of an IPv6 network', ['2001:db8::1', '2001:db8:0:0:7::9', '2001:db8::5:6:7:8']],
  ] as const) {
    it(`have ${what} for one source`, () => {
      const all = drawing(100, crowd.length + 1);
      const [daemon] = enter(all, '10.0.0.1', ...crowd);
      enter(all, '10.0.0.2');
      assert.deepEqual(draws, [crowd.length]);
      assert.equal(daemon?.isReset, false);
    });
  }
});
