import assert from 'node:assert/strict';
import { Ending } from '../../src/daemon/ending.ts';
import { networkAddresses, Surroundings } from '../../src/daemon/surroundings.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe("the machine's surroundings", () => {
  let clock: ManualClock;
  let changes: string[];
  let looks: number;
  let network: string;
  let eager: boolean;
  let surroundings: Surroundings;

  beforeEach(() => {
    clock = new ManualClock();
    changes = [];
    looks = 0;
    network = '10.0.0.1/24';
    eager = false;
    surroundings = new Surroundings({
      clock,
      network: () => network,
      eager: () => eager,
      onChanged: (what) => changes.push(what),
      onLook: () => {
        looks += 1;
      },
    });
  });
  afterEach(() => {
    surroundings.close();
    assert.equal(clock.waiting, 0);
  });

  it('are looked at every five seconds, and nothing is told while they stay', () => {
    clock.advance(60_000);
    assert.equal(looks, 12);
    assert.deepEqual(changes, []);
  });

  it('have changed when the machine slept', () => {
    clock.advance(7_000);
    clock.sleep(20_000);
    clock.advance(5_000);
    assert.deepEqual(changes, ['the machine slept']);
    clock.advance(60_000);
    assert.equal(changes.length, 1);
  });

  it('have changed when this process did not run, also where the clock goes on in sleep', () => {
    clock.advance(7_000);
    clock.jump(20_000);
    clock.advance(0);
    assert.deepEqual(changes, ['the machine slept']);
    clock.advance(60_000);
    assert.equal(changes.length, 1);
  });

  it('have changed when the network has, and that is seen within a second while somebody waits', () => {
    eager = true;
    clock.advance(5_000);
    network = '192.168.0.7/24';
    clock.advance(1_000);
    assert.deepEqual(changes, ['the network has changed']);
  });

  it('are the same with an interface that has no more than a link-local address', () => {
    const at = (address: string, internal = false) => [
      { address, netmask: '', mac: '', internal, cidr: null, family: 'IPv4' as const },
    ];
    const before = { lo: at('127.0.0.1', true), wlan0: at('10.0.0.7') };
    const with4 = { ...before, utun3: at('169.254.3.4') };
    const with6 = { ...with4, veth1: at('fe80::1c2d:3eff:fe4f:1'), veth2: at('FEBF::1') };
    assert.equal(networkAddresses(with6), networkAddresses(before));
    for (const address of ['fec0::1', '169.25.4.1', '2001:db8::fe80']) {
      assert.match(networkAddresses({ ...before, eth0: at(address) }), new RegExp(address));
    }
  });

  it('are not taken to have changed by a correction of the clock', () => {
    clock.sleep(2_000);
    clock.advance(10_000);
    clock.sleep(-60_000);
    clock.advance(10_000);
    assert.deepEqual(changes, []);
  });
});

describe('a daemon without tunnels', () => {
  let clock: ManualClock;
  let tunnels: number;
  let clients: number;
  let ends: number;
  let ending: Ending;

  beforeEach(() => {
    clock = new ManualClock();
    tunnels = 0;
    clients = 0;
    ends = 0;
    ending = new Ending({
      clock,
      tunnels: () => tunnels,
      clients: () => clients,
      stay: false,
      end: () => {
        ends += 1;
      },
    });
  });
  afterEach(() => {
    ending.close();
    ending.look();
    assert.equal(clock.waiting, 0);
  });

  it('ends when nobody asks it for one in half a minute', () => {
    ending.look();
    clock.advance(29_999);
    assert.equal(ends, 0);
    clock.advance(1);
    assert.equal(ends, 1);
  });

  it('stays for ever as a service', () => {
    const service = new Ending({
      clock,
      tunnels: () => 0,
      clients: () => 0,
      stay: true,
      end: () => assert.fail('it ends'),
    });
    service.look();
    service.onDown();
    clock.advance(86_400_000);
    assert.equal(clock.waiting, 0);
  });

  it('stays while somebody is connected who may ask, as at the question for a host key', () => {
    clients = 1;
    ending.look();
    clock.advance(600_000);
    assert.equal(ends, 0);
    clients = 0;
    ending.look();
    clock.advance(30_000);
    assert.equal(ends, 1);
  });

  it('ends at once when the last was taken down and nobody is connected', () => {
    ending.onDown();
    clock.advance(0);
    assert.equal(ends, 1);
  });

  it('waits a moment for those who are connected when the last was taken down', () => {
    clients = 1;
    ending.onDown();
    clock.advance(1_999);
    assert.equal(ends, 0);
    clock.advance(1);
    assert.equal(ends, 1);
  });

  it('goes on when another is brought up in that moment', () => {
    clients = 1;
    ending.onDown();
    tunnels = 1;
    clock.advance(2_000);
    assert.equal(ends, 0);
    ending.look();
    tunnels = 0;
    clients = 0;
    ending.look();
    clock.advance(29_999);
    assert.equal(ends, 0);
  });
});
