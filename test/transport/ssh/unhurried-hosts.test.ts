import assert from 'node:assert/strict';
import { UnhurriedHosts } from '../../../src/transport/ssh/unhurried-hosts.ts';

describe('the SSH servers that are not asked for anything early', () => {
  it('are a hundred, of which the oldest gives way', () => {
    const hosts = new UnhurriedHosts();
    const added = Array.from({ length: 101 }, (_, index) => `host-${index}:22`);
    for (const host of added.slice(0, 100)) hosts.add(host);
    assert.ok(added.slice(0, 100).every((host) => hosts.has(host)));
    hosts.add('host-0:22');
    hosts.add('host-100:22');
    assert.deepEqual(
      added.filter((host) => !hosts.has(host)),
      ['host-1:22'],
    );
  });
});
