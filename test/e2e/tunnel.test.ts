import assert from 'node:assert/strict';
import { TestDyno } from '../support/dyno.ts';
import type { ErlangNode } from '../support/erlang.ts';
import { Laptop } from '../support/laptop.ts';

describe('a tunnel over SSH, with real nodes at both ends', function () {
  this.timeout(90_000);
  let dyno: TestDyno;
  let laptop: Laptop;
  let app: ErlangNode;
  let me: ErlangNode;

  before(async () => {
    dyno = await TestDyno.start();
    laptop = await Laptop.start();
    app = await dyno.erlang.node('app', { tickTimeS: 4 });
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    me = await laptop.node('me', { tickTimeS: 4 });
  });

  after(async () => {
    await laptop?.stop();
    await dyno?.stop();
  });

  const connect = async () =>
    assert.equal(await me.eval(`net_kernel:connect_node('${app.name}')`), 'true');

  it('lists the node by its full name', async () => {
    assert.match(await laptop.run('nodes'), new RegExp(`${app.name}\\s`));
  });

  it('pings with the cookie of the dyno, which nobody here knows', async () => {
    assert.equal(laptop.env['EPMUX_COOKIE'], undefined);
    assert.match(await laptop.run('ping', app.name), /pong/);
  });

  it('leads a local node there which knows its own cookie only', async () => {
    assert.notEqual(laptop.erlang.cookie, dyno.erlang.cookie);
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    assert.equal(await me.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
  });

  it('hides a visible local node from the node in the dyno', async () => {
    await connect();
    assert.equal(await app.eval('nodes()'), '[]');
    assert.equal(await app.eval('nodes(hidden)'), `[${me.name}]`);
  });

  it('returns a call in flight after the connection under it was reset', async () => {
    await connect();
    const call = me.eval(`rpc:call('${app.name}', timer, sleep, [1500])`);
    await app.eval('ok');
    dyno.path.reset();
    assert.equal(await call, 'ok');
    assert.ok(((await laptop.tunnel()).links[0]?.resumes ?? 0) >= 1);
    assert.deepEqual([nodedowns(me, app), nodedowns(app, me)], [[], []]);
  });

  it('outlives a silent blackhole that is longer than the tick time', async () => {
    await connect();
    const call = me.eval(`rpc:call('${app.name}', erlang, node, [], 60000)`, 60_000);
    dyno.path.blackhole();
    const late = me.eval(`rpc:call('${app.name}', erlang, node, [], 60000)`, 60_000);
    await me.eval('timer:sleep(8000)', 30_000);
    dyno.path.heal();
    assert.equal(await call, `'${app.name}'`);
    assert.equal(await late, `'${app.name}'`);
    assert.deepEqual([nodedowns(me, app), nodedowns(app, me)], [[], []]);
  });

  it('carries a binary byte for byte through cuts in the middle of it', async () => {
    await connect();
    const bytes = 4_000_000;
    await app.eval(`persistent_term:put(b, crypto:strong_rand_bytes(${bytes}))`);
    const sum = await app.eval('base64:encode(crypto:hash(sha256, persistent_term:get(b)))');
    dyno.path.bytesPerSecond = 1_000_000;
    dyno.path.reset();
    let done = false;
    const fetched = me
      .eval(
        `B = rpc:call('${app.name}', persistent_term, get, [b]), base64:encode(crypto:hash(sha256, B))`,
        60_000,
      )
      .finally(() => {
        done = true;
      });
    let cuts = 0;
    for (; cuts < 5 && !done; cuts += 1) {
      const { connections, passedBytes } = dyno.path;
      dyno.path.reset();
      while (dyno.path.connections === connections) await app.eval('timer:sleep(20)');
      while (dyno.path.passedBytes < passedBytes + 300_000 && !done)
        await app.eval('timer:sleep(20)');
    }
    assert.equal(cuts, 5);
    dyno.path.bytesPerSecond = Number.POSITIVE_INFINITY;
    dyno.path.reset();
    assert.equal(await fetched, sum);
    assert.deepEqual([nodedowns(me, app), nodedowns(app, me)], [[], []]);
  });

  it('says nodedown at once when the agent is new, and takes the new one up by itself', async () => {
    await connect();
    await dyno.killAgent();
    await me.event((event) => event.type === 'nodedown' && event.node === app.name);
    await dyno.startAgent();
    while ((await laptop.tunnel()).state !== 'up') await app.eval('timer:sleep(50)');
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    assert.match(await laptop.run('ping', app.name), /pong/);
    await connect();
  });
});

function nodedowns(at: ErlangNode, of: ErlangNode): readonly string[] {
  const downs = at.events.filter((event) => event.type === 'nodedown');
  return downs.map((event) => event.node).filter((node) => node === of.name);
}
