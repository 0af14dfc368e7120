import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { TestDyno } from '../support/dyno.ts';
import type { ErlangNode } from '../support/erlang.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { Laptop } from '../support/laptop.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe('nodes that speak TLS (-proto_dist inet_tls)', function () {
  this.timeout(60_000);
  const folder = tempFolder();
  let dyno: TestDyno;
  let laptop: Laptop;
  let app: ErlangNode;
  let flags: string[];

  beforeEach(async () => {
    const { caFile } = makeCertificate(folder.path);
    const keyFile = join(folder.path, 'key.pem');
    chmodSync(keyFile, 0o600);
    const certificate = ['server_certfile', caFile, 'server_keyfile', keyFile];
    const unverified = ['server_verify', 'verify_none', 'client_verify', 'verify_none'];
    flags = ['-proto_dist', 'inet_tls', '-ssl_dist_opt', ...certificate, ...unverified];
    dyno = await TestDyno.start();
    laptop = await Laptop.start();
    app = await dyno.erlang.node('app', { flags });
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
  });
  afterEach(async () => {
    await laptop?.stop();
    await dyno?.stop();
  });

  it('are reached by a local node that does so too, and has their cookie', async () => {
    await laptop.untilTunnel(({ nodes }) => nodes.some(({ name }) => name === app.name));
    const { cookie } = dyno.erlang;
    const me = await laptop.node('me', { flags, cookie, hidden: true });
    assert.equal(await me.eval(`net_adm:ping('${app.name}')`), 'pong');
    assert.equal(await me.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    assert.equal(await app.eval('nodes(hidden)'), `[${me.name}]`);
  });

  it('say so to whoever asks in the clear', async () => {
    await laptop.untilTunnel(({ nodes }) => nodes.some(({ name }) => name === app.name));
    const { code, stdout } = await laptop.epmux(['ping', app.name]);
    assert.equal(code, 3, stdout);
    assert.match(stdout, /pang.*the node speaks TLS.*HANDSHAKE_REFUSED/);
  });

  it('are asked for their name once', async () => {
    await laptop.untilTunnel(({ nodes }) => nodes.some(({ name }) => name === app.name));
    assert.equal(app.log.match(/Unexpected Message/g)?.length, 1, app.log);
  });
});
