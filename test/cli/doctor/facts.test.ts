import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { parseFacts, releaseOf } from '../../../src/cli/doctor/facts.ts';
import { FACTS_SCRIPT } from '../../../src/cli/doctor/facts-script.ts';
import { ErlangHost } from '../../support/erlang.ts';
import { leaveOut } from '../../support/left-out.ts';

describe('what is told of a dyno', () => {
  it('is read line by line', () => {
    const text = [
      'a greeting of the shell',
      'node v18.1.0 /usr/bin/node',
      'node v22.1.0 /app/.heroku/node/bin/node',
      'beam 12',
      'bindir /app/erts-15.2/bin',
      'short app',
      'cookie RELEASE_COOKIE',
      'cookie RELEASE_COOKIE',
      'beam 13',
      'long b@c.d',
      'readable /proc/net/tcp',
      'listen 0100007F:1F90',
      'listen 00000000:1F91',
      'listen 00000000000000000000000001000000:1F92',
      'listen 00000000000000000000000000000000:1F93',
      'listen 0000000000000000FFFF00000100007F:1F94',
      'listen rubbish',
      'end',
    ].join('\n');
    assert.deepEqual(parseFacts(text), {
      node: { version: '22.1.0', path: '/app/.heroku/node/bin/node' },
      beams: [
        { pid: 12, name: 'app', release: 27 },
        { pid: 13, name: 'b@c.d', release: undefined },
      ],
      cookieSources: ['RELEASE_COOKIE'],
      listeners: [
        { port: 8_080, isLoopback: true },
        { port: 8_081, isLoopback: false },
        { port: 8_082, isLoopback: true },
        { port: 8_083, isLoopback: false },
        { port: 8_084, isLoopback: true },
      ],
    });
  });

  it('is nothing unless it was told to the end', () => {
    assert.throws(() => parseFacts('node v22.1.0 /usr/bin/node\n'), { code: 'EXEC_REFUSED' });
  });

  it('knows releases by the runtime system', () => {
    const cases = { '13.1.5': 25, '16.0': 28, '11.0': 23, '10.7': undefined } as const;
    for (const [version, release] of Object.entries(cases)) {
      assert.equal(releaseOf(`/usr/lib/erlang/erts-${version}/bin`), release);
    }
    assert.equal(releaseOf('/usr/lib/erlang/bin'), undefined);
  });
});

const isLinux = process.platform === 'linux';

describe('the look around', () => {
  let host: ErlangHost;
  before(async function () {
    if (!isLinux) leaveOut(this, 'this system has no /proc');
    host = await ErlangHost.start();
  });
  after(() => host?.stop());

  it('finds Node, nodes and listeners of this machine, and no cookie itself', async () => {
    const node = await host.node('app', {
      env: { RELEASE_COOKIE: 'very-secret-cookie' },
      flags: ['-setcookie', 'another-secret-one'],
    });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const text = execFileSync('sh', { input: FACTS_SCRIPT, encoding: 'utf8' });
    server.close();
    assert.ok(!text.includes('very-secret-cookie'));
    assert.ok(!text.includes('another-secret-one'));
    assert.ok(!text.includes(host.cookie));
    const { beams, cookieSources, listeners, node: found } = parseFacts(text);
    assert.equal(found?.version, process.versions.node);
    const release = JSON.parse(await node.eval('erlang:system_info(otp_release)'));
    const own = beams.find(({ name }) => name === node.name);
    assert.equal(own?.release, Number(release));
    for (const source of ['RELEASE_COOKIE', '-setcookie', '~/.erlang.cookie']) {
      assert.ok(cookieSources.includes(source), source);
    }
    assert.ok(listeners?.some((listener) => listener.port === port && listener.isLoopback));
  });
});
