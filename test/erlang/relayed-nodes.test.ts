import assert from 'node:assert/strict';
import { WireCode } from '../../src/protocol/constants.ts';
import { ErlangHost, type ErlangNode, type NodeEvent, randomCookie } from '../support/erlang.ts';
import { RelayedNodes, type RelayedOptions } from '../support/relayed-nodes.ts';

const isUp = (node: ErlangNode) => (event: NodeEvent) =>
  event.type === 'nodeup' && event.node === node.name;

describe('real nodes through two relays', function () {
  this.timeout(60_000);
  let dyno: ErlangHost;
  let laptop: ErlangHost;
  let app: ErlangNode;
  let quick: ErlangNode;
  let mortal: ErlangNode;
  let relayed: RelayedNodes | undefined;

  before(async () => {
    const cookie = randomCookie();
    dyno = await ErlangHost.start({ cookie });
    laptop = await ErlangHost.start({ cookie, hosts: [dyno.hostName] });
    [app, quick, mortal] = await Promise.all([
      dyno.node('app'),
      dyno.node('quick', { tickTimeS: 2 }),
      dyno.node('mortal'),
    ]);
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
    const me = await laptop.node('visible');
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    await app.event(isUp(me));
    assert.equal(await app.eval('{nodes(), nodes(hidden)}'), `{[],['${me.name}']}`);
    assert.equal(await me.eval('{nodes(), nodes(hidden)}'), `{[],['${app.name}']}`);
    await me.stop();
  });

  /** `net_ticktime` 2 s is noticed after 2.5 s at most; the freeze lasts longer. */
  const FREEZE_MS = 4_000;
  const IN_FLIGHT = 'register(in_flight, self()), receive go -> done end';
  const AWAIT_CALL = `
    (fun Wait() ->
      case whereis(in_flight) of undefined -> timer:sleep(5), Wait(); _ -> ok end
    end)()`;

  async function callThroughFreeze(
    me: ErlangNode,
    far: ErlangNode,
    path: RelayedNodes,
  ): Promise<string> {
    assert.equal(await me.eval(`net_adm:ping('${far.name}')`), 'pong');
    const call = me.eval(`erpc:call('${far.name}', fun() -> ${IN_FLIGHT} end)`);
    // Awaited below; a rejection before that is not to count as unhandled.
    call.catch(() => {});
    await far.eval(AWAIT_CALL);
    path.freeze();
    await far.eval(`in_flight ! go, timer:sleep(${FREEZE_MS})`);
    path.thaw();
    return call;
  }

  it('stay connected through a freeze longer than net_ticktime, and a call in flight returns', async () => {
    const path = await join({ name: 'quick', near: { tickMs: 400 }, far: { tickMs: 400 } });
    const me = await laptop.node('patient', { tickTimeS: 2 });
    assert.equal(await callThroughFreeze(me, quick, path), 'done');
    assert.deepEqual(
      me.events.map(({ type }) => type),
      ['nodeup'],
    );
    assert.deepEqual(
      quick.events.map(({ type }) => type),
      ['nodeup'],
    );
    assert.deepEqual(path.reasons, []);
    await me.stop();
    await quick.event((event) => event.type === 'nodedown');
  });

  it('lose each other in the same freeze when no ticks are fed', async () => {
    const ticks = { ticks: 'pass' } as const;
    const path = await join({ name: 'quick', near: ticks, far: ticks });
    const me = await laptop.node('impatient', { tickTimeS: 2 });
    await assert.rejects(callThroughFreeze(me, quick, path), /noconnection/);
    const down = await me.event((event) => event.type === 'nodedown');
    assert.equal(down.type === 'nodedown' && down.reason, 'net_tick_timeout');
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

  it('feel it at once when the other one dies', async () => {
    const path = await join({ name: 'mortal' });
    const me = await laptop.node('survivor');
    assert.equal(await me.eval(`net_adm:ping('${mortal.name}')`), 'pong');
    mortal.signal('SIGKILL');
    await me.event((event) => event.type === 'nodedown' && event.node === mortal.name);
    await path.over();
    await me.stop();
  });

  it('do not hide a node that froze: NODE_SILENT', async () => {
    const frozen = await dyno.node('frozen', { tickTimeS: 2 });
    const far = { tickMs: 400, nodeSilenceMs: 1_500 };
    const path = await join({ name: 'frozen', near: { tickMs: 400 }, far });
    const me = await laptop.node('watcher', { tickTimeS: 2 });
    assert.equal(await me.eval(`net_adm:ping('${frozen.name}')`), 'pong');
    frozen.signal('SIGSTOP');
    await me.event((event) => event.type === 'nodedown' && event.node === frozen.name);
    assert.equal((await path.over('acceptor')).code, WireCode.NODE_SILENT);
    await me.stop();
  });

  it('are refused with another cookie, and the relays know why', async () => {
    const path = await join();
    const me = await laptop.node('stranger', { cookie: randomCookie() });
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pang');
    await Promise.all([path.over('connector'), path.over('acceptor')]);
    assert.deepEqual(
      path.couplings.map(({ relay }) => relay.cookieRefused),
      [true, true],
    );
    await me.stop();
  });

  it('connect with a cookie each when the near relay translates', async () => {
    const local = randomCookie();
    await join({ near: { cookies: { local, production: dyno.cookie } } });
    const me = await laptop.node('guest', { cookie: local });
    assert.equal(await me.eval(`erpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    const stranger = await laptop.node('third', { cookie: randomCookie() });
    assert.equal(await stranger.eval(`net_adm:ping('${app.name}')`), 'pang');
    const insider = await laptop.node('insider');
    assert.equal(await insider.eval(`net_adm:ping('${app.name}')`), 'pong');
    await Promise.all([me.stop(), stranger.stop(), insider.stop()]);
  });

  it('connect with a cookie each when each relay knows one of them', async () => {
    const local = randomCookie();
    const near = { cookies: { local } };
    await join({ near, far: { cookies: { production: dyno.cookie } } });
    const me = await laptop.node('visitor', { cookie: local });
    assert.equal(await me.eval(`erpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    const stranger = await laptop.node('fourth', { cookie: randomCookie() });
    assert.equal(await stranger.eval(`net_adm:ping('${app.name}')`), 'pang');
    const insider = await laptop.node('member');
    assert.equal(await insider.eval(`net_adm:ping('${app.name}')`), 'pong');
    await Promise.all([me.stop(), stranger.stop(), insider.stop()]);
  });

  it('connect without being registered, and without a name of their own', async () => {
    const path = await join();
    const flags = ['-dist_listen', 'false'];
    const veiled = await laptop.node('veiled', { flags });
    assert.equal(await veiled.eval(`net_adm:ping('${app.name}')`), 'pong');
    const nameless = await laptop.node('undefined', { nameless: true });
    assert.equal(await nameless.eval(`net_kernel:connect_node('${app.name}')`), 'true');
    assert.equal(await nameless.eval(`net_adm:ping('${app.name}')`), 'pong');
    const given = await nameless.eval('node()');
    assert.equal(`'${path.couplings.at(-2)?.relay.connectorName}'`, given);
    await Promise.all([veiled.stop(), nameless.stop()]);
  });

  it('do not take the place of a node whose name they bear', async () => {
    const [web, jobs] = await Promise.all([dyno.node('web'), dyno.node('jobs')]);
    assert.equal(await web.eval(`net_adm:ping('${jobs.name}')`), 'pong');
    await jobs.event(isUp(web));
    const desk = await ErlangHost.start({ cookie: dyno.cookie, hostName: dyno.hostName });
    const namesake = await desk.node('web');
    const isTaken = (name: string): boolean => name === web.name;
    for (const side of ['near', 'far'] as const) {
      const path = await join({ laptop: desk, name: 'jobs', [side]: { isTaken } });
      assert.equal(await namesake.eval(`net_adm:ping('${jobs.name}')`), 'pang');
      const ended = await path.over(side === 'near' ? 'connector' : 'acceptor');
      assert.equal(ended.code, WireCode.HIDDEN_ONLY);
      await path.stop();
    }
    assert.equal(await web.eval(`erpc:call('${jobs.name}', erlang, node, [])`), `'${jobs.name}'`);
    assert.deepEqual(jobs.events, []);
    await Promise.all([desk.stop(), web.stop(), jobs.stop()]);
  });

  it('are kept out when visible and only hidden ones may pass', async () => {
    const path = await join({ near: { hiddenOnly: true } });
    const me = await laptop.node('loud');
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pang');
    assert.equal((await path.over('connector')).code, WireCode.HIDDEN_ONLY);
    const quiet = await laptop.node('quiet', { hidden: true });
    assert.equal(await quiet.eval(`net_adm:ping('${app.name}')`), 'pong');
    await Promise.all([me.stop(), quiet.stop()]);
  });
});
