import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import {
  type Cookie,
  encodeName,
  encodeStatus,
  Flag,
  framed,
  RELAYED_COOKIE,
} from '../../src/erlang/handshake.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { pingNode } from '../../src/runtime/node-probe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import type { Directory } from '../../src/session/types.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { ErlangHost, type ErlangNode, hasErlang, randomCookie } from '../support/erlang.ts';
import { leaveOut, NO_ERLANG } from '../support/left-out.ts';
import { OtherUsersPort } from '../support/other-user.ts';
import { TestAgent } from '../support/test-agent.ts';

const SECRET = 'the secret that both ends know';
const STALL_MS = 1_000;

/** Registers a name with an epmd for as long as the socket lives. */
async function register(
  epmdPort: number,
  name: string,
  port: number,
  visible = true,
): Promise<Socket> {
  const socket = connect(epmdPort, '127.0.0.1');
  const node = { name, port, visible, highest: 6, lowest: 5, extra: new Uint8Array(0) };
  socket.write(encodeEpmdRequest({ kind: 'alive', node }));
  await once(socket, 'data');
  return socket;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { readonly port: number }).port;
}

describe('the agent beside real nodes', () => {
  let dyno: ErlangHost;
  let agent: TestAgent;
  let end: DaemonEnd;
  const nodes: ErlangNode[] = [];

  before(async function () {
    if (!hasErlang()) leaveOut(this, NO_ERLANG);
    dyno = await ErlangHost.start();
  });
  after(() => dyno?.stop());

  beforeEach(async () => {
    const options = ['--epmd-port', String(dyno.epmdPort), '--stall', `${STALL_MS}ms`];
    agent = await TestAgent.start(SECRET, options);
    end = new DaemonEnd(SECRET);
    await end.dial(agent.port);
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((started) => started.stop()));
    end.socket?.destroy();
    await agent.stop();
  });

  const has =
    (...names: readonly string[]) =>
    (directory: Directory): boolean =>
      !directory.epmdDown && directory.nodes.map(({ name }) => name).join() === names.join();

  const pingVia = (name: string, cookie: Cookie) =>
    pingNode(
      { clock: systemClock, open: async () => end.driver.open(`node/${name}`, 'interactive') },
      cookie,
    );

  const viaAgent = (name: string) => pingVia(name, RELAYED_COOKIE);

  /** A node that ends with the test. */
  async function node(name: string, host = dyno): Promise<ErlangNode> {
    const started = await host.node(name);
    nodes.push(started);
    return started;
  }

  it('tells their full names and creations, as they come, go and come back', async () => {
    await end.directory(has());
    const [app, other] = await Promise.all([node('app'), node('other')]);
    const { nodes } = await end.directory(has(app.name, other.name));
    assert.equal(String(nodes[0]?.creation), await app.eval('erlang:system_info(creation)'));
    await other.stop();
    await end.directory(has(app.name));
    await app.stop();
    await end.directory(has());
    const again = await node('app');
    const back = await end.directory(has(app.name));
    assert.equal(String(back.nodes[0]?.creation), await again.eval('erlang:system_info(creation)'));
  });

  it('keeps what it knows while epmd is away, and says that it is', async () => {
    const app = await node('app');
    await end.directory(has(app.name));
    await dyno.stopEpmd();
    const away = await end.directory(({ epmdDown }) => epmdDown);
    assert.deepEqual(
      away.nodes.map(({ name }) => name),
      [app.name],
    );
    await assert.rejects(end.open('node/app').stream.accepted, { code: 'NO_EPMD' });
    await dyno.startEpmd();
    await end.directory(has(app.name));
  });

  it('tells a hidden name from a visible one as epmd has it', async () => {
    const registered = await register(dyno.epmdPort, 'ghost', 9, false);
    const directory = await end.directory(has('ghost'));
    assert.equal(directory.nodes[0]?.visible, false);
    registered.destroy();
  });

  it('leads a stream to a node, which answers with its cookie', async () => {
    const app = await node('app');
    const { node: answered } = await pingVia('app', dyno.cookie);
    assert.equal(answered.name, app.name);
  });

  describe('with cookies of their own', () => {
    const known = (directory: Directory): string[] =>
      directory.nodes.filter(({ cookieKnown }) => cookieKnown).map(({ name }) => name);

    it('finds each by a handshake and proves it for who knows none', async () => {
      const flagged = randomCookie();
      const [app, other] = await Promise.all([
        dyno.node('app', { flags: ['-setcookie', flagged] }),
        dyno.node('other', { cookie: randomCookie() }),
      ]);
      nodes.push(app, other);
      const directory = await end.directory(has(app.name, other.name));
      assert.deepEqual(known(directory), [app.name, other.name]);
      assert.equal((await viaAgent('app')).node.name, app.name);
      assert.equal((await viaAgent('other')).node.name, other.name);
      assert(!agent.log.join('').includes(flagged), 'a cookie in the log');
      assert.equal(app.log + other.log, '', 'the right one first: nothing logged there');
    });

    it('finds one of characters beyond ASCII under any locale, and one that ends in a blank', async () => {
      const flags = ['-setcookie', 'schlüssel'];
      const file = join(dyno.home, 'blank', '.erlang.cookie');
      mkdirSync(dirname(file));
      writeFileSync(file, 'ABCDEF \n', { mode: 0o400 });
      const [utf8, latin1, blank] = await Promise.all([
        dyno.node('utf8', { flags, env: { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' } }),
        dyno.node('latin1', { flags, env: { LANG: 'C', LC_ALL: 'C' } }),
        dyno.node('blank', { env: { HOME: dirname(file) } }),
      ]);
      nodes.push(utf8, latin1, blank);
      assert.equal(await blank.eval('erlang:get_cookie()'), "'ABCDEF '");
      const names = [blank, latin1, utf8].map(({ name }) => name);
      const directory = await end.directory((told) => known(told).length === names.length);
      assert.deepEqual(known(directory), names);
      for (const name of ['utf8', 'latin1', 'blank']) await viaAgent(name);
    });

    it('says where it looked when a node refuses', async () => {
      const app = await node('app');
      await end.directory((directory) => known(directory).includes(app.name));
      const secret = randomCookie();
      await app.eval(`erlang:set_cookie(node(), '${secret}')`);
      await assert.rejects(viaAgent('app'), {
        code: 'COOKIE_REFUSED',
        message:
          /app@.* refused the cookie that the agent found \(\.erlang\.cookie of process \d+\)/,
      });
      assert.equal((await pingVia('app', secret)).node.name, app.name);
    });

    it('does not know one that is nowhere to be found, and proves nothing then', async () => {
      const app = await node('app');
      const blind = await TestAgent.start(SECRET, ['--epmd-port', String(dyno.epmdPort)], {
        proc: '/nowhere',
      });
      const other = new DaemonEnd(SECRET);
      await other.dial(blind.port);
      assert.deepEqual(known(await other.directory(has(app.name))), []);
      const open = async () => other.driver.open('node/app', 'interactive');
      await assert.rejects(pingNode({ clock: systemClock, open }, RELAYED_COOKIE), {
        code: 'COOKIE_REFUSED',
        message: /found none that it accepts: looked at the environment and the home folder/,
      });
      other.socket?.destroy();
      await blind.stop();
    });
  });

  it('lets nobody in who bears the name of one of them', async () => {
    const [app, other] = await Promise.all([node('app'), node('other')]);
    await end.directory(has(app.name, other.name));
    const guest = end.open('node/app');
    const flags = Flag.HANDSHAKE_23;
    guest.stream.write(framed(encodeName({ version: 6, flags, creation: 1, name: other.name })));
    const told = framed(encodeStatus('not_allowed'));
    assert.deepEqual(await guest.bytes(told.length), Buffer.from(told));
    await agent.stop();
    assert(agent.log.some((line) => /info a stream is refused .*is the name of a node/.test(line)));
  });

  describe('whose port is another user’s', () => {
    let elsewhere: ErlangHost;
    let app: ErlangNode;
    let thief: OtherUsersPort;
    let registered: Socket | undefined;

    /** He has taken the name in the dyno, and passes all on to a node with the same cookie. */
    before(async function () {
      if (process.getuid?.() !== 0) leaveOut(this, 'only root can act as another user');
      elsewhere = await ErlangHost.start({ cookie: dyno.cookie });
      app = await elsewhere.node('app');
      const found = await askNode({ host: '127.0.0.1', port: elsewhere.epmdPort }, 'app');
      thief = await OtherUsersPort.open(found?.port ?? 0);
    });
    after(async () => {
      await thief?.close();
      await elsewhere?.stop();
    });

    afterEach(() => registered?.destroy());

    it('shows it no cookie to find the one that fits, and says so', async () => {
      registered = await register(dyno.epmdPort, 'app', thief.port);
      const { nodes } = await end.directory(has(app.name));
      assert.equal(nodes[0]?.cookieKnown, false);
      await assert.rejects(viaAgent('app'), {
        code: 'COOKIE_REFUSED',
        message: /the agent shows it none: what listens on port \d+ is not seen to be of the agent/,
      });
    });

    it('shows it none either where it has taken the name of a node whose cookie is known', async () => {
      const own = await node('app');
      await end.directory(({ nodes }) => nodes[0]?.cookieKnown === true);
      await viaAgent('app');
      await own.stop();
      registered = await register(dyno.epmdPort, 'app', thief.port);
      await assert.rejects(viaAgent('app'), { code: 'COOKIE_REFUSED' });
      assert(agent.log.some((line) => /warn a node is shown no cookie/.test(line)));
    });
  });

  it('rejects a node that epmd does not know, or that does not listen', async () => {
    await assert.rejects(end.open('node/nobody').stream.accepted, { code: 'NODE_NOT_FOUND' });
    const server = createServer();
    const port = await listening(server);
    server.close();
    const registered = await register(dyno.epmdPort, 'dead', port);
    await assert.rejects(end.open('node/dead').stream.accepted, { code: 'NODE_UNREACHABLE' });
    registered.destroy();
  });

  describe('with a node at the other end', () => {
    let laptop: ErlangHost;
    let port: Server;
    let registered: Socket;

    /** What the daemon does, without its relay. */
    before(async () => {
      laptop = await ErlangHost.start({ cookie: dyno.cookie, hosts: [dyno.hostName] });
      port = createServer({ allowHalfOpen: true }, (socket) =>
        splice(duplexPipe(socket, 'local'), end.driver.open('node/app', 'interactive')),
      );
      registered = await register(laptop.epmdPort, 'app', await listening(port));
    });
    after(async () => {
      registered?.destroy();
      port?.close();
      await laptop?.stop();
    });

    it('hides it: a visible node joins no cluster', async () => {
      const [app, me] = await Promise.all([node('app'), node('me', laptop)]);
      assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
      assert.equal(await app.eval('nodes()'), '[]');
      assert.equal(await app.eval('nodes(hidden)'), `['${me.name}']`);
    });

    it('cuts it off when the tunnel keeps the node waiting: production goes first', async () => {
      const [app, me] = await Promise.all([node('app'), node('me', laptop)]);
      assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
      await app.event((event) => event.type === 'nodeup' && event.node === me.name);
      end.socket?.pause();
      // A flood that fills every buffer on the way and then suspends its sender.
      await app.eval(
        `Big = binary:copy(<<0>>, 1048576),
         spawn(fun F() -> {nobody, '${me.name}'} ! Big, F() end)`,
      );
      await app.event((event) => event.type === 'nodedown' && event.node === me.name);
      assert(agent.log.some((line) => /warn a stream was cut .*code=STALLED/.test(line)));
    });
  });
});
