import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { LocalNaming } from '../../src/daemon/local-naming.ts';
import { splitNodeName } from '../../src/daemon/names.ts';
import { OwnHosts, ownHostNames } from '../../src/daemon/own-hosts.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { StateStore } from '../../src/daemon/state.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { tempFolder } from '../support/temp-folder.ts';

const NO_FILES = { hosts: '', resolvConf: '' };

describe('the names of this machine', () => {
  it('are its host name and the part before the dot', () => {
    const machine = { hostName: 'Laptop.example.com', ...NO_FILES };
    assert.deepEqual(ownHostNames(machine), ['laptop.example.com', 'laptop']);
  });

  it('are its long ones too, by the resolver and by /etc/hosts', () => {
    const resolvConf = '# laptop\nnameserver 10.0.0.1\nsearch Office.example. lan\ndomain home\n';
    const hosts = '127.0.0.1 localhost\n127.0.1.1\tlaptop.Example.com laptop nas # laptop.no\n';
    assert.deepEqual(ownHostNames({ hostName: 'laptop', hosts, resolvConf }), [
      'laptop',
      'laptop.office.example',
      'laptop.home',
      'laptop.example.com',
    ]);
  });

  it('are not those of other lines and hosts', () => {
    const hosts = '10.0.0.2 laptop.other other\n10.0.0.3 laptop2.lan laptop2\nlaptop laptop.no\n';
    const resolvConf = 'search .\nsearch a/b\nsearch\nother.example\n';
    assert.deepEqual(ownHostNames({ hostName: 'laptop', hosts, resolvConf }), ['laptop']);
    assert.deepEqual(ownHostNames({ hostName: '', hosts: '127.0.0.1 a', resolvConf }), []);
  });

  it('are 64 at most: the oldest give way', () => {
    let hostName = '';
    const own = new OwnHosts(() => ({ hostName, ...NO_FILES }));
    for (let network = 0; network < 100; network += 1) {
      hostName = `laptop-${network}`;
      assert.equal(own.look(), true);
      assert.equal(own.look(), false);
    }
    assert.equal(own.all.length, 64);
    assert.deepEqual([own.has('laptop-35'), own.has('laptop-36')], [false, true]);
  });
});

describe('what leads local nodes', () => {
  const folder = tempFolder();
  let paths: DaemonPaths;
  let hostName: string;
  let naming: LocalNaming;

  beforeEach(async () => {
    paths = daemonPaths({ EPMUX_HOME: folder.path });
    ensureFolders(paths);
    hostName = 'home';
    naming = await LocalNaming.start({
      paths,
      env: {},
      state: await StateStore.open(paths.stateFile, silentLogger),
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      logger: silentLogger,
      ownHosts: new OwnHosts(() => ({ hostName, ...NO_FILES })),
    });
  });
  afterEach(() => naming.close());

  const hosts = () => readFileSync(paths.hostsFile, 'utf8');

  it('follows the host name from network to network, and leaves the name of before', async () => {
    assert.equal(hosts(), '127.0.0.1 home\n');
    hostName = 'mbp-17.corp.example.com';
    await naming.retry();
    assert.equal(hosts(), '127.0.0.1 home mbp-17.corp.example.com mbp-17\n');
    assert.equal(await naming.addresses.addressOf('mbp-17', {}), '127.0.0.1');
    assert.equal(await naming.addresses.addressOf('home', {}), '127.0.0.1');
  });

  it('is there again when its files were taken away, or could not be written', async () => {
    const files = [paths.hostsFile, paths.inetrcFile];
    const before = files.map((file) => readFileSync(file, 'utf8'));
    for (const file of files) {
      rmSync(file);
      mkdirSync(file);
    }
    hostName = 'office';
    await naming.retry();
    await naming.retry();
    for (const file of files) rmSync(file, { recursive: true });
    await naming.retry();
    assert.deepEqual(naming.problems, []);
    assert.match(hosts(), /office/);
    for (const file of files) rmSync(file);
    await naming.retry();
    assert.equal(readFileSync(paths.inetrcFile, 'utf8'), before[1]);
    assert.match(hosts(), /office/);
  });

  it('leaves a host where its nodes are when this machine gets its name', async () => {
    const node = {
      ...splitNodeName('app@mbp-17'),
      address: '127.0.0.2',
      port: 1,
      visible: true,
      behind: 'web.1',
    };
    naming.names.publish(node);
    hostName = 'mbp-17';
    await naming.retry();
    assert.equal(hosts(), '127.0.0.1 home\n127.0.0.2 mbp-17\n');
  });
});
