import assert from 'node:assert/strict';
import { Addresses, type AddressOptions, isLeadable } from '../../src/daemon/addresses.ts';
import { hostsText, inetrcText } from '../../src/daemon/inetrc.ts';
import { NameTable, type PublishedNode, splitNodeName } from '../../src/daemon/names.ts';
import { upstreamEpmd } from '../../src/daemon/upstream.ts';

function addresses(options: Partial<AddressOptions> = {}): Addresses {
  return new Addresses({
    isOwn: (host) => host === 'laptop',
    open: async () => 'open',
    close: () => undefined,
    inUse: () => true,
    ...options,
  });
}

/** For hosts of which each is behind a link of its own. */
const addressOf = (pool: Addresses, host: string | undefined) => pool.addressOf(host, {});

describe('the addresses of remote hosts', () => {
  it('are one for each host, and stay', async () => {
    const pool = addresses();
    const hosts = ['dyno-1', 'dyno-2', 'DYNO-1'];
    const given = await Promise.all(hosts.map((host) => addressOf(pool, host)));
    assert.deepEqual(given, ['127.0.0.2', '127.0.0.3', '127.0.0.2']);
  });

  it('are 127.0.0.1 for this machine itself, and where no host is known', async () => {
    const pool = addresses();
    for (const host of [undefined, 'localhost', 'laptop', 'Laptop', '127.0.0.1']) {
      assert.equal(await addressOf(pool, host), '127.0.0.1');
    }
  });

  it('are all 127.0.0.1 where there is no other, until there is', async () => {
    const tried: string[] = [];
    const there = new Set<string>();
    const pool = addresses({
      open: async (address) => {
        tried.push(address);
        return there.has(address) ? 'open' : 'absent';
      },
    });
    assert.equal(await addressOf(pool, 'dyno-1'), '127.0.0.1');
    assert.deepEqual(tried, ['127.0.0.2']);
    there.add('127.0.0.2');
    assert.equal(await addressOf(pool, 'dyno-2'), '127.0.0.2');
    assert.equal(await addressOf(pool, 'dyno-1'), '127.0.0.1');
    there.add('127.0.0.3');
    assert.equal(await addressOf(pool, 'dyno-1'), '127.0.0.3');
  });

  it('are loopback addresses themselves when nodes are called by them', async () => {
    const pool = addresses();
    assert.equal(await addressOf(pool, '127.0.0.9'), '127.0.0.9');
    assert.equal(await addressOf(pool, '10.0.0.1'), '127.0.0.1');
  });

  it('leave out those that are taken', async () => {
    const taken = new Set(['127.0.0.2']);
    const pool = addresses({ open: async (address) => (taken.has(address) ? 'taken' : 'open') });
    assert.equal(await addressOf(pool, 'dyno-1'), '127.0.0.3');
    taken.clear();
    assert.equal(await addressOf(pool, 'dyno-2'), '127.0.0.2');
  });

  it('are inherited from hosts that are gone when all are given away', async () => {
    const used = new Set<string>();
    const pool = addresses({ inUse: (host) => used.has(host) });
    for (let host = 0; host < 253; host += 1) {
      used.add(`h${host}`);
      await addressOf(pool, `h${host}`);
    }
    assert.equal(await addressOf(pool, 'one-more'), '127.0.0.1');
    used.delete('h7');
    assert.equal(await addressOf(pool, 'another'), '127.0.0.9');
    assert.equal(await addressOf(pool, 'h8'), '127.0.0.10');
  });

  it('are inherited from different hosts by those that come at once', async () => {
    const pool = addresses({ inUse: () => false });
    for (let host = 0; host < 253; host += 1) await addressOf(pool, `h${host}`);
    const given = await Promise.all(['a', 'b', 'c'].map((host) => addressOf(pool, host)));
    assert.deepEqual(given, ['127.0.0.2', '127.0.0.3', '127.0.0.4']);
    assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((h) => addressOf(pool, h))), given);
  });

  it('are given again to a host that got none once one is free', async () => {
    const used = new Set(Array.from({ length: 253 }, (_, host) => `h${host}`));
    const pool = addresses({ inUse: (host) => used.has(host) });
    for (const host of used) await addressOf(pool, host);
    assert.equal(await addressOf(pool, 'late'), '127.0.0.1');
    used.delete('h0');
    assert.equal(await addressOf(pool, 'late'), '127.0.0.2');
  });

  it('are 16 for the hosts of one link, and those of hosts that are gone do not count', async () => {
    const used = new Set<string>();
    const pool = addresses({ inUse: (host) => used.has(host) });
    const link = {};
    const give = (host: string) => {
      used.add(host);
      return pool.addressOf(host, link);
    };
    for (let host = 0; host < 16; host += 1) await give(`h${host}`);
    assert.equal(await give('h16'), '127.0.0.1');
    assert.equal(await give('h3'), '127.0.0.5');
    assert.equal(await addressOf(pool, 'other'), '127.0.0.18');
    used.delete('h7');
    assert.equal(await give('h17'), '127.0.0.19');
    assert.equal(await give('h18'), '127.0.0.1');
  });

  it('are listened on for 64 hosts that are loopback addresses, and no longer than for those', async () => {
    const used = new Set<string>();
    const open = new Set<string>();
    const pool = addresses({
      inUse: (host) => used.has(host),
      open: async (address) => {
        open.add(address);
        return 'open';
      },
      close: (address) => open.delete(address),
    });
    for (let host = 0; host < 300; host += 1) {
      assert.equal(await addressOf(pool, `127.1.0.${host % 250}`), `127.1.0.${host % 250}`);
      assert.ok(open.size <= 64, `${open.size} are open`);
    }
    for (const host of open) used.add(host);
    assert.equal(await addressOf(pool, '127.2.0.1'), '127.0.0.1');
    assert.equal(await addressOf(pool, 'dyno'), '127.0.0.2');
  });
});

const node = (name: string, address: string, port: number): PublishedNode => ({
  ...splitNodeName(name),
  address,
  port,
  visible: true,
  behind: 'web.1 of shop',
});

describe('the names of remote nodes', () => {
  it('are told on the address of their host only', () => {
    const names = new NameTable();
    names.publish(node('app@a', '127.0.0.2', 1));
    names.publish(node('app@b', '127.0.0.3', 2));
    assert.equal(names.epmdNode('127.0.0.2', 'app')?.port, 1);
    assert.equal(names.epmdNode('127.0.0.3', 'app')?.port, 2);
    assert.equal(names.epmdNode('127.0.0.1', 'app'), undefined);
    assert.deepEqual(names.epmdNames('127.0.0.3'), [{ name: 'app', port: 2 }]);
  });

  it('go to the first of two on one address, until it is withdrawn', () => {
    const names = new NameTable();
    const first = node('app@a', '127.0.0.1', 1);
    const second = node('app@b', '127.0.0.1', 2);
    names.publish(first);
    names.publish(second);
    assert.equal(names.epmdNode('127.0.0.1', 'app')?.port, 1);
    assert.equal(names.unreachable(first), undefined);
    assert.match(names.unreachable(second) ?? '', /^app@a was first/);
    const third = node('app@a', '127.0.0.1', 3);
    names.publish(third);
    assert.match(names.unreachable(third) ?? '', /^web\.1 of shop was first .* app on 127/);
    names.withdraw(third);
    names.withdraw(first);
    assert.equal(names.epmdNode('127.0.0.1', 'app')?.port, 2);
    assert.equal(names.unreachable(second), undefined);
  });

  it('stay with the first although its link is away, and tell what frees them', () => {
    const names = new NameTable();
    let away = false;
    const second = node('app@a', '127.0.0.2', 2);
    names.publish({ ...node('app@a', '127.0.0.2', 1), behind: 'the tunnel a', isAway: () => away });
    names.publish(second);
    const first = 'the tunnel a was first to have the name app for a';
    assert.equal(names.unreachable(second), first);
    away = true;
    assert.equal(names.epmdNode('127.0.0.2', 'app')?.port, 1);
    const told = `${first}, and its link is away: \`epmux down\` of its tunnel frees it`;
    assert.equal(names.unreachable(second), told);
  });

  it('say which hosts have a node', () => {
    const names = new NameTable();
    const [first, second] = [node('app@Dyno', '127.0.0.2', 1), node('x@dyno', '127.0.0.2', 2)];
    names.publish(first);
    names.publish(second);
    names.withdraw(first);
    names.withdraw(first);
    assert.equal(names.hasHost('dyno'), true);
    names.withdraw(second);
    assert.equal(names.hasHost('dyno'), false);
  });

  it('are not told while their full form is not known', () => {
    const names = new NameTable();
    const half = node('app', '127.0.0.1', 1);
    names.publish(half);
    assert.equal(names.epmdNode('127.0.0.1', 'app'), undefined);
    assert.match(names.unreachable(half) ?? '', /full name/);
  });

  it('can not be led to when the host is an address that is not theirs', () => {
    const names = new NameTable();
    const far = node('app@10.0.0.1', '127.0.0.1', 1);
    const near = node('app@127.0.0.1', '127.0.0.1', 2);
    names.publish(far);
    names.publish(near);
    assert.match(names.unreachable(far) ?? '', /10\.0\.0\.1/);
    assert.equal(names.epmdNode('127.0.0.1', 'app')?.port, 2);
    assert.deepEqual([...names.hosts()], []);
  });
});

describe('the files that Erlang reads', () => {
  it('have one line an address with all its names', () => {
    const hosts = new Map([
      ['a', '127.0.0.2'],
      ['b', '127.0.0.1'],
      ['c.d', '127.0.0.2'],
    ]);
    assert.equal(hostsText(hosts, ['laptop']), '127.0.0.1 laptop b\n127.0.0.2 a c.d\n');
    assert.equal(hostsText(new Map(), []), '');
  });

  it('quote a path as Erlang does', () => {
    assert.match(inetrcText('/a"b\\c'), /\{hosts_file,"\/a\\"b\\\\c"\}\./);
  });

  it('hold no name that could be more than a name', () => {
    for (const host of ['a\nb', 'a b', '', 'a#', '-a', '1.2.3.4', 'x'.repeat(300)]) {
      assert.equal(isLeadable(host), false, host);
    }
  });
});

describe("the machine's own epmd", () => {
  const portOf = (env: Record<string, string>, epmdPort?: number) =>
    upstreamEpmd(env, { epmdPort, inetrc: '/s/inetrc' }).port;

  it('is where the environment says, unless that is us', () => {
    assert.equal(portOf({}), 4369);
    assert.equal(portOf({ ERL_EPMD_PORT: '5000' }), 5000);
    assert.equal(portOf({ ERL_EPMD_PORT: '5000' }, 5000), 4369);
    for (const odd of ['', 'x', '0', '99999', '-1']) {
      assert.equal(portOf({ ERL_EPMD_PORT: odd }), 4369);
    }
  });

  it('is not where a shell was led to when our port was another one', () => {
    assert.equal(portOf({ ERL_EPMD_PORT: '5000', ERL_INETRC: '/s/inetrc' }, 6000), 4369);
    assert.equal(portOf({ ERL_EPMD_PORT: '5000', ERL_INETRC: '/home/me/inetrc' }, 6000), 5000);
  });
});
