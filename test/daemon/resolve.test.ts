import assert from 'node:assert/strict';
import { resolveNode } from '../../src/daemon/resolve.ts';
import type { Tunnel } from '../../src/daemon/tunnel.ts';

/** Its nodes with their dynos, and the dynos that none is in. */
function tunnel(
  name: string,
  nodes: Readonly<Record<string, string | null>>,
  ...empty: readonly string[]
): Tunnel {
  const listed = Object.entries(nodes).map(([node, dyno]) => ({ name: node, dyno }));
  const links = [...listed, ...empty.map((dyno) => ({ dyno }))].map(({ dyno }) => ({ dyno }));
  return { spec: { name }, status: () => ({ name, nodes: listed, links }) } as unknown as Tunnel;
}

describe('NODE', () => {
  it('that fits several is told with the dynos to choose by, or the tunnels', () => {
    const formation = tunnel('shop', { 'app@a': 'web.1', 'app@b': 'web.2' });
    const message = 'app may be several nodes: app@a (web.1), app@b (web.2)';
    assert.throws(() => resolveNode([formation], 'app'), { code: 'NODE_AMBIGUOUS', message });
    const hosts = [tunnel('one', { 'app@a': null }), tunnel('two', { 'app@b': null })];
    assert.throws(() => resolveNode(hosts, undefined), { message: /app@a \(one\), app@b \(two\)/ });
  });

  it('of one full name in two dynos or tunnels is told apart by where it is', () => {
    const both = (name: string) => tunnel(name, { 'app@same': 'web.1' });
    const formation = [tunnel('shop', { 'app@same': 'web.1' }, 'web.3')];
    const status = formation[0]?.status();
    Object.assign(status?.nodes ?? {}, { 1: { name: 'app@same', dyno: 'web.2' } });
    assert.throws(() => resolveNode(formation, 'app@same'), {
      code: 'NODE_AMBIGUOUS',
      message: 'app@same may be several nodes: app@same (web.1), app@same (web.2)',
    });
    for (const wanted of ['web.2', 'web.2/app', 'shop/web.2', 'shop/web.2/app@same']) {
      assert.equal(resolveNode(formation, wanted).node.dyno, 'web.2');
    }
    const two = [both('staging'), both('prod')];
    for (const wanted of [undefined, 'app', 'web.1', 'web.1/app']) {
      assert.throws(() => resolveNode(two, wanted), {
        code: 'NODE_AMBIGUOUS',
        message: /: app@same \(staging\/web\.1\), app@same \(prod\/web\.1\)$/,
      });
    }
    for (const wanted of ['prod', 'prod/app', 'prod/web.1', 'prod/web.1/app@same']) {
      assert.equal(resolveNode(two, wanted).tunnel, two[1]);
    }
    for (const wanted of ['web.3/app', 'nowhere/app', '/app', 'prod/']) {
      assert.throws(() => resolveNode(two, wanted), { code: 'NODE_NOT_FOUND' });
    }
    assert.throws(() => resolveNode(formation, 'shop/web.3'), { code: 'NODE_UNREACHABLE' });
  });

  it('that fits very many is told with the first of them', () => {
    const nodes = Array.from({ length: 30 }, (_, index) => [`app@h${index}`, 'web.1'] as const);
    assert.throws(() => resolveNode([tunnel('shop', Object.fromEntries(nodes))], 'app'), {
      message: /^app may be several nodes: app@h0 .*app@h19 \(web\.1\), and 10 more$/,
    });
  });

  it('is no node where there is none: that is told by its tunnel', () => {
    const empty = [tunnel('shop', {})];
    const hint = /`epmux status`/;
    assert.throws(() => resolveNode(empty, undefined), { code: 'NODE_UNREACHABLE', hint });
    assert.throws(() => resolveNode(empty, 'web.1'), { code: 'NODE_NOT_FOUND', hint });
  });

  it('that is a dyno or a tunnel without a node now is unreachable, whatever nodes there are', () => {
    const tunnels = [tunnel('shop', { 'app@b': 'web.2' }, 'web.1'), tunnel('prod', {})];
    for (const wanted of ['web.1', 'prod']) {
      assert.throws(() => resolveNode(tunnels, wanted), {
        code: 'NODE_UNREACHABLE',
        message: `no node is there behind ${wanted}`,
        hint: /`epmux status`/,
      });
    }
    assert.throws(() => resolveNode(tunnels, 'web.3'), { code: 'NODE_NOT_FOUND' });
  });

  it('of another name is not found among those that are listed', () => {
    const one = [tunnel('shop', { 'app@a': 'web.1' })];
    assert.throws(() => resolveNode(one, 'web.2'), {
      code: 'NODE_NOT_FOUND',
      message: 'there is no node web.2',
      hint: /`epmux nodes`/,
    });
  });
});
