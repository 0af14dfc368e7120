import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hostsText, inetrcText } from '../../src/daemon/inetrc.ts';
import { NameTable, splitNodeName } from '../../src/daemon/names.ts';
import { NodePort } from '../../src/daemon/node-port.ts';
import { VirtualEpmd } from '../../src/daemon/virtual-epmd.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { Descriptors } from '../../src/runtime/descriptors.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { splice } from '../../src/runtime/splice.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ErlangHost, type ErlangNode } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { LOCAL, register } from './epmd-support.ts';

const run = promisify(execFile);

describe('local Erlang nodes led by the virtual epmd', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let laptop: ErlangHost;
  let names: NameTable;
  let epmd: VirtualEpmd;
  let env: Record<string, string>;
  const closers: (() => unknown)[] = [];

  before(async () => {
    laptop = await ErlangHost.start({ hostName: 'laptop', cookie: 'ONE' });
    names = new NameTable();
    const upstream = { host: LOCAL, port: laptop.epmdPort };
    epmd = await VirtualEpmd.start({
      port: undefined,
      names,
      upstream,
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      logger: silentLogger,
    });
  });
  after(async () => {
    await epmd?.close();
    await laptop?.stop();
  });
  beforeEach(() => {
    const inetrc = join(folder.path, 'inetrc');
    writeFileSync(inetrc, inetrcText(join(folder.path, 'hosts')));
    env = { ERL_EPMD_PORT: String(epmd.port), ERL_INETRC: inetrc };
    writeHosts();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const writeHosts = () =>
    writeFileSync(join(folder.path, 'hosts'), hostsText(names.hosts(), ['laptop']));

  const node = async (name: string, led = true): Promise<ErlangNode> => {
    const started = await laptop.node(name, led ? { env } : {});
    closers.push(() => started.stop());
    return started;
  };

  it('find each other, and those of the machine’s own epmd', async () => {
    const [a, b, c] = await Promise.all([node('a'), node('b'), node('c', false)]);
    assert.equal(await a.eval(`net_adm:ping('${b.name}')`), 'pong');
    assert.equal(await a.eval(`net_adm:ping('${c.name}')`), 'pong');
    assert.equal(await a.eval("net_adm:ping('nobody@laptop')"), 'pang');
    const { stdout } = await run('epmd', ['-port', String(epmd.port), '-names']);
    for (const name of ['a', 'b', 'c']) assert.match(stdout, new RegExp(`^name ${name} at`, 'm'));
    await assert.rejects(run('epmd', ['-port', String(epmd.port), '-kill']));
    assert.equal((await register(epmd.port, 'c')).result, 1);
  });

  it('reach two hosts whose nodes have the same short name, by names they learn while they run', async () => {
    const a = await node('a');
    const published = await Promise.all(
      ['dyno-1', 'dyno-2'].map(async (hostName, index) => {
        const host = await ErlangHost.start({ hostName, cookie: 'ONE' });
        closers.push(() => host.stop());
        const app = await host.node('app');
        const target = await askNode({ host: LOCAL, port: host.epmdPort }, 'app');
        const address = `127.0.0.${index + 2}`;
        const port = await NodePort.listen({
          node: app.name,
          address,
          connections: DEFAULT_LIMITS.nodeConnections,
          descriptors: new Descriptors(() => 0),
          logger: silentLogger,
          onConnection: (local) => {
            const remote = net.connect({
              host: LOCAL,
              port: target?.port ?? 0,
              allowHalfOpen: true,
            });
            splice(local, duplexPipe(remote, 'the node'));
          },
        });
        closers.push(() => port.close());
        await epmd.listenOn(address);
        names.publish({
          ...splitNodeName(app.name),
          address,
          port: port.port,
          visible: true,
          behind: 'dyno',
        });
        return app;
      }),
    );
    writeHosts();
    for (const app of published) {
      while ((await a.eval(`net_adm:ping('${app.name}')`)) !== 'pong') {
        await a.eval('timer:sleep(200)');
      }
      assert.equal(await a.eval(`rpc:call('${app.name}', erlang, node, [])`), `'${app.name}'`);
    }
  });
});
