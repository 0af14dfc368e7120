import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultRoutes } from '../../src/daemon/routes.ts';
import { tempFolder } from '../support/temp-folder.ts';

const V4_HEAD =
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const ZERO = '0'.repeat(32);

describe("this machine's default routes", () => {
  const folder = tempFolder();
  const v4 = (...lines: string[]) =>
    writeFileSync(join(folder.path, 'route'), `${[V4_HEAD, ...lines].join('\n')}\n`);
  const v6 = (...lines: string[]) =>
    writeFileSync(join(folder.path, 'ipv6_route'), `${lines.join('\n')}\n`);

  it('are none where there are no tables', () => {
    assert.equal(defaultRoutes(folder.path), '');
  });

  it('are told from other routes, and from how much they are used', () => {
    const lan = 'eth0\t000AA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0';
    const half = 'tun0\t00000000\t01020304\t0003\t0\t0\t0\t00000080\t0\t0\t0';
    v4(lan, 'eth0\t00000000\t010AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0', half);
    const first = defaultRoutes(folder.path);
    assert.equal(first, 'eth0 010AA8C0');
    v4('eth0\t00000000\t010AA8C0\t0003\t7\t99\t100\t00000000\t0\t0\t0');
    assert.equal(defaultRoutes(folder.path), first);
  });

  it('are others behind another router or device', () => {
    v4('eth0\t00000000\t010AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0');
    const first = defaultRoutes(folder.path);
    v4('eth0\t00000000\tFE0AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0');
    const second = defaultRoutes(folder.path);
    v4('wlan0\t00000000\tFE0AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0');
    assert.equal(new Set([first, second, defaultRoutes(folder.path)]).size, 3);
  });

  it('are those of IPv6 too, but for the one that Linux always has', () => {
    const gateway = 'fe800000000000000000000000000001';
    v6(
      `fe800000000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     eth0`,
      `${ZERO} 00 ${ZERO} 00 ${gateway} 00000400 00000003 00000000 00000003     eth0`,
      `${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200       lo`,
    );
    assert.equal(defaultRoutes(folder.path), `eth0 ${gateway}`);
  });
});
