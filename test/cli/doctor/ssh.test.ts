import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DoctorDocument } from '../../../src/cli/doctor/document.ts';
import { stillRuns } from '../../support/bridge.ts';
import { TestDyno } from '../../support/dyno.ts';
import { type ErlangNode, freePort } from '../../support/erlang.ts';
import { Laptop } from '../../support/laptop.ts';

/** For what was sent KILL. */
const KILLED_MS = 500;

describe('epmux doctor, on the way over SSH', function () {
  this.timeout(60_000);
  let dyno: TestDyno;
  let laptop: Laptop;
  let way: string[];
  let app: ErlangNode;
  let web: Server;

  before(async () => {
    dyno = await TestDyno.start();
    laptop = await Laptop.start();
    app = await dyno.erlang.node('app', {
      flags: ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}'],
    });
    const { epmdPort } = dyno.erlang;
    laptop.env['EPMUX_COOKIE'] = dyno.erlang.cookie;
    way = wayWith({ '--epmd-port': String(epmdPort) });
    web = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  });

  after(async () => {
    web?.close();
    await laptop?.stop();
    await dyno?.stop();
  });

  /** The way there, with other options or further ones. */
  const wayWith = (other: Record<string, string>): string[] => {
    const words = laptop.wayTo(dyno);
    const options: Record<string, string> = {
      '--epmd-port': String(dyno.erlang.epmdPort),
      ...Object.fromEntries(
        words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? '']] : [])),
      ),
      ...other,
    };
    return Object.entries(options).flat();
  };

  const examine = async (args: readonly string[], env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await laptop.epmux(['doctor', '--json', ...args], env);
    assert.equal(stderr, '');
    for (const secret of [dyno.secret, dyno.erlang.cookie]) assert.ok(!stdout.includes(secret));
    const document = JSON.parse(stdout) as DoctorDocument;
    const { checks } = document;
    const bad = checks.filter((check) => check.state === 'broken');
    assert.equal(document.ok, bad.length === 0);
    return {
      exit: code,
      checks,
      broken: bad.map(({ id, code }) => `${id} ${code}`),
      ids: checks.map(({ id }) => id),
      detail: (id: string) => checks.find((check) => check.id === id)?.detail ?? '',
      state: (id: string) => checks.find((check) => check.id === id)?.state,
    };
  };

  it('finds nothing to say where everything is in order', async () => {
    const found = await examine(way);
    assert.deepEqual(
      found.checks.filter(({ state }) => state !== 'ok'),
      [],
    );
    assert.equal(found.exit, 0);
    const name = `app@${dyno.erlang.hostName}`;
    assert.equal(found.detail('nodes'), name);
    assert.match(found.detail('agent'), /^epmux\//);
    assert.match(found.detail('cookie'), /EPMUX_COOKIE/);
    assert.match(found.detail('release'), /^OTP .*\d+ there, \d+ here$/);
    assert.match(found.detail('node-there'), new RegExp(process.versions.node));
    assert.match(found.detail('names') ?? '', /^short \(--sname\).*Livebook has long ones only$/);
  });

  it('prints a line a check, without --json', async () => {
    const { stdout, stderr, code } = await laptop.epmux(['doctor', ...way]);
    assert.equal(code, 0);
    assert.match(stdout, /^ok {7}Node {19}\d/);
    assert.ok(
      stdout.split('\n').every((line) => /^(ok|$)/.test(line)),
      stdout,
    );
    assert.equal(stderr, 'nothing is broken\n');
  });

  it('stops where no connection is taken', async () => {
    const port = await freePort();
    const found = await examine(['--ssh', `127.0.0.1:${port}`]);
    assert.deepEqual(found.broken, ['tcp CONNECT_FAILED']);
    assert.equal(found.exit, 3);
    assert.equal(found.ids.at(-1), 'tcp');
  });

  it('stops at a host that nobody knows', async () => {
    const found = await examine(['--ssh', 'no-such-host.invalid']);
    assert.match(found.broken.join(), /^host (HOST_UNKNOWN|CONNECT_FAILED)$/);
  });

  it('tells a host key that known_hosts does not have, and asks nobody', async () => {
    const found = await examine(wayWith({ '--ssh': `127.0.0.1:${dyno.sshd.port}` }));
    assert.deepEqual(found.broken, ['host-key HOST_KEY_UNKNOWN']);
    assert.equal(found.exit, 5);
  });

  it('tells a key that the server refuses', async () => {
    const found = await examine(wayWith({ '--ssh': dyno.sshTarget.replace(/^[^@]+/, 'nobody') }));
    assert.equal(found.state('host-key'), 'ok');
    assert.deepEqual(found.broken, ['login SSH_AUTH_REFUSED']);
    assert.equal(found.exit, 5);
  });

  it('does not miss an agent where one can be brought', async () => {
    const port = String(await freePort());
    const found = await examine(wayWith({ '--agent': 'require', '--agent-port': port }));
    assert.equal(found.detail('agent'), `none listens on ${port}: \`up\` brings its own`);
    assert.deepEqual([found.state('cookie'), found.exit], ['ok', 0]);
  });

  it('warns of an agent with another secret', async () => {
    const found = await examine(way, { EPMUX_SECRET: 'not-the-one-that-is-shared' });
    assert.equal(found.state('agent'), 'warning');
    assert.deepEqual(found.broken, []);
  });

  it('tries no cookie by guess where an agent finds it', async () => {
    const found = await examine(way, { EPMUX_COOKIE: '' });
    assert.match(found.detail('cookie'), /the agent looks in .*~\/\.erlang\.cookie/);
    assert.ok(!app.log.includes('rejected'), app.log);
  });

  it('tells that the cookie of this user is refused where nothing else is known', async () => {
    const found = await examine(wayWith({ '--agent': 'none' }), { EPMUX_COOKIE: '' });
    assert.deepEqual(found.broken, ['cookie COOKIE_REFUSED']);
    assert.match(found.detail('cookie'), /that of ~\/\.erlang\.cookie/);
  });

  it('tells a cookie that the node refuses', async () => {
    const found = await examine(way, { EPMUX_COOKIE: 'wrong' });
    assert.deepEqual(found.broken, ['cookie COOKIE_REFUSED']);
    assert.equal(found.exit, 5);
  });

  it('tells that no epmd is there', async () => {
    const found = await examine(wayWith({ '--epmd-port': String(await freePort()) }));
    assert.deepEqual(found.broken, ['epmd NO_EPMD']);
  });

  it('tells an epmd without nodes', async () => {
    const other = await Laptop.start();
    const found = await examine(wayWith({ '--epmd-port': String(other.erlang.epmdPort) }));
    await other.stop();
    assert.deepEqual(found.broken, ['nodes NODE_UNREACHABLE']);
  });

  describe('by --connect', () => {
    it('knows an agent by its proof', async () => {
      const found = await examine(['--connect', `127.0.0.1:${dyno.agentPort}`]);
      assert.deepEqual(found.broken, []);
      assert.match(found.detail('agent'), /^epmux\//);
    });

    it('says what answers instead', async () => {
      const { port } = web.address() as AddressInfo;
      const found = await examine(['--connect', `127.0.0.1:${port}`]);
      assert.deepEqual(found.broken, ['agent NOT_AN_AGENT']);
      assert.match(found.detail('agent'), /HTTP\/1\.1 400/);
    });

    it('knows an agent without its secret', async () => {
      const found = await examine(['--connect', `127.0.0.1:${dyno.agentPort}`], {
        EPMUX_SECRET: '',
      });
      assert.deepEqual(found.broken, ['agent SECRET_MISSING']);
    });
  });

  it('tells that a command does not run', async () => {
    const found = await examine(['--command', 'echo no >&2; exit 3']);
    assert.deepEqual(found.broken, ['agent COMMAND_FAILED']);
  });

  it('leaves nothing of a command behind, also where it ignores TERM', async () => {
    const file = join(laptop.erlang.home, 'command.pid');
    const command = `trap '' TERM; echo $$ > '${file}'; echo no agent; while :; do sleep 1; done`;
    const found = await examine(['--command', command]);
    assert.deepEqual(found.broken, ['agent NOT_AN_AGENT']);
    const group = Number(readFileSync(file, 'utf8'));
    await delay(KILLED_MS);
    const isLeft = stillRuns(group);
    if (isLeft) process.kill(-group, 'SIGKILL');
    assert.equal(isLeft, false);
  });

  it('pings by a tunnel that is up, also one that nothing configures', async () => {
    await laptop.run('up', 'prod', ...way);
    for (const name of [['prod'], []]) {
      const found = await examine(name);
      assert.deepEqual(found.broken, []);
      assert.match(found.detail('tunnel'), /^up for /);
      assert.match(found.detail('target'), /^prod: ssh:/);
      assert.equal(found.state('login'), 'ok');
      assert.match(found.detail('ping'), new RegExp(`^pong: app@${dyno.erlang.hostName} `));
    }
    const other = await examine(['prod', '--agent', 'none'], { EPMUX_COOKIE: 'wrong' });
    assert.equal(other.ids.includes('agent'), false);
    assert.deepEqual(other.broken, ['cookie COOKIE_REFUSED', 'ping COOKIE_REFUSED']);
  });
});
