import assert from 'node:assert/strict';
import { ErlangHost } from '../support/erlang.ts';

describe('real Erlang for tests', function () {
  this.timeout(30_000);
  let host: ErlangHost;
  before(async () => {
    host = await ErlangHost.start();
  });
  after(() => host.stop());

  it('starts nodes that see each other, and tells their events', async () => {
    const [one, two] = await Promise.all([host.node('one'), host.node('two', { hidden: true })]);
    assert.equal(one.name, `one@${host.hostName}`);
    assert.equal(await one.eval(`net_adm:ping('${two.name}')`), 'pong');
    const up = await two.event((event) => event.node === one.name);
    assert.deepEqual(up, { type: 'nodeup', node: one.name, hidden: true });
    assert.equal(await one.eval('{nodes(), nodes(hidden)}'), `{[],['${two.name}']}`);
    await two.stop();
    const down = await one.event((event) => event.type === 'nodedown');
    assert.equal(down.type === 'nodedown' && down.reason, 'connection_closed');
  });

  it('rejects what raises, with the reason', async () => {
    const node = await host.node('raises');
    await assert.rejects(node.eval('1 = 2'), /badmatch/);
    await assert.rejects(node.eval('1 +'), /badmatch/);
    await Promise.all([node.exited, assert.rejects(node.eval('erlang:halt(3)'), /exit 3/)]);
  });

  it('runs Elixir nodes', async () => {
    const node = await host.node('elixir', { elixir: true });
    assert.equal(await node.evalElixir('{Node.self(), IEx.started?()}'), `{:"${node.name}", true}`);
    assert.equal(await node.eval('code:is_loaded(none)'), 'false');
  });

  it('keeps nodes through a restart of epmd', async () => {
    const node = await host.node('stays');
    await host.stopEpmd();
    await host.startEpmd();
    await node.eval(
      '(fun W() -> case erl_epmd:port_please("stays", {127,0,0,1}) of {port, _, _} -> ok; _ -> timer:sleep(50), W() end end)()',
    );
  });
});
