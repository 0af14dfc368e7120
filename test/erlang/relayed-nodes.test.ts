import assert from 'node:assert/strict';
import { ErlangHost, type ErlangNode, type NodeEvent, randomCookie } from '../support/erlang.ts';
import { RelayedNodes, type RelayedOptions } from '../support/relayed-nodes.ts';

const isUp = (node: ErlangNode) => (event: NodeEvent) =>
  event.type === 'nodeup' && event.node === node.name;

describe('real nodes through two relays', function () {
  this.timeout(60_000);
  let dyno: ErlangHost;
  let laptop: ErlangHost;
  let app: ErlangNode;
  let relayed: RelayedNodes | undefined;

  before(async () => {
    const cookie = randomCookie();
    dyno = await ErlangHost.start({ cookie });
    laptop = await ErlangHost.start({ cookie, hosts: [dyno.hostName] });
    app = await dyno.node('app', { tickTimeS: 4 });
  });
  afterEach(async () => {
    await relayed?.stop();
    relayed = undefined;
  });
  after(async () => {
    await laptop.stop();
    await dyno.stop();
  });

  async function join(options: Partial<RelayedOptions> = {}): Promise<RelayedNodes> {
    relayed = await RelayedNodes.start({ laptop, dyno, name: 'app', ...options });
    return relayed;
  }

  it('show each other as hidden although both are visible', async () => {
    await join();
    const me = await laptop.node('visible', { tickTimeS: 4 });
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    await app.event(isUp(me));
    assert.equal(await app.eval('{nodes(), nodes(hidden)}'), `{[],['${me.name}']}`);
    assert.equal(await me.eval('{nodes(), nodes(hidden)}'), `{[],['${app.name}']}`);
    await me.stop();
  });

  it('stay connected through a freeze far longer than net_ticktime, and a call in flight returns', async () => {
    const { freeze, thaw } = bound(await join());
    const me = await laptop.node('patient', { tickTimeS: 4 });
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    const started = 'register(freezing, self()), receive go -> receive after 8000 -> done end end';
    const call = me.eval(`erpc:call('${app.name}', fun() -> ${started} end)`, 30_000);
    await app.eval(
      '(fun W() -> case whereis(freezing) of undefined -> timer:sleep(5), W(); P -> P ! go end end)()',
    );
    freeze();
    await me.eval('timer:sleep(9000)');
    thaw();
    assert.equal(await call, 'done');
    assert.deepEqual(
      me.events.filter((event) => event.type === 'nodedown'),
      [],
    );
    assert.deepEqual(
      app.events.filter((event) => event.type === 'nodedown'),
      [],
    );
    await me.stop();
  });

  it('carry a large binary intact', async () => {
    await join();
    const me = await laptop.node('large');
    const digests = await me.eval(
      `B = rand:bytes(5000000), {crypto:hash(sha256, B) =:= erpc:call('${app.name}', crypto, hash, [sha256, B]), erpc:call('${app.name}', erlang, hd, [[B]]) =:= B}`,
      30_000,
    );
    assert.equal(digests, '{true,true}');
    await me.stop();
  });
});

function bound(relayed: RelayedNodes): { freeze: () => void; thaw: () => void } {
  return { freeze: () => relayed.freeze(), thaw: () => relayed.thaw() };
}
