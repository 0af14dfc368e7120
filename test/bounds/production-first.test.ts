import assert from 'node:assert/strict';
import type { TunnelStatus } from '../../src/daemon/control/api.ts';
import { ControlClient } from '../../src/daemon/control/client.ts';
import { daemonPaths } from '../../src/daemon/paths.ts';
import { EPMUX, TestDyno } from '../support/dyno.ts';
import type { ErlangNode } from '../support/erlang.ts';
import { Laptop } from '../support/laptop.ts';
import { LatencyProbe } from '../support/latency-probe.ts';

const TERM_BYTES = 64_000_000;
const STALL_MS = 5_000;

describe('a node in the dyno, while the tunnel takes nothing of a large term', function () {
  this.timeout(180_000);
  let dyno: TestDyno;
  let laptop: Laptop;
  let app: ErlangNode;
  let me: ErlangNode;

  before(async () => {
    dyno = await TestDyno.start({ agentProgram: [...EPMUX, 'agent', '--stall', `${STALL_MS}ms`] });
    laptop = await Laptop.start();
    app = await dyno.erlang.node('app');
    await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    me = await laptop.node('me');
  });

  after(async () => {
    dyno?.path.heal();
    await laptop?.stop();
    await dyno?.stop();
  });

  const tunnel = async (): Promise<TunnelStatus> => {
    const daemon = await ControlClient.connect(daemonPaths(laptop.env).controlSocket);
    try {
      const { tunnels } = await daemon.call('status', {});
      return tunnels[0] as TunnelStatus;
    } finally {
      daemon.close();
    }
  };

  it('goes on as before, loses the connection at the stall limit, and `status` says why', async () => {
    assert.equal(await me.eval(`net_kernel:connect_node('${app.name}')`), 'true');
    await app.eval(`persistent_term:put(term, binary:copy(<<0>>, ${TERM_BYTES}))`);
    const probe = await LatencyProbe.start(app);
    await probe.take();
    const call = `spawn(fun() -> rpc:call('${app.name}', persistent_term, get, [term]) end), ok`;
    const { passedBytes } = dyno.path;
    dyno.path.bytesPerSecond = 2_000_000;
    await me.eval(call);
    while (dyno.path.passedBytes < passedBytes + 1_000_000) await app.eval('timer:sleep(20)');
    dyno.path.blackhole();
    const down = await app.event(
      (event) => event.type === 'nodedown' && event.node === me.name,
      60_000,
    );
    const { reports, messages } = await probe.take();
    assert.equal(down.node, me.name);
    assert.ok(reports.busyPorts > 0, 'the connection to the laptop was busy');
    // On a machine with much else to do they may be few and slow, but none waits for the cut.
    assert.ok(messages.count > 0, 'no message passed between others meanwhile');
    assert.ok(messages.max < (STALL_MS / 2) * 1_000, `one took ${messages.max} µs`);
    await dyno.agentSays(/warn a stream was cut.*code=STALLED/);

    dyno.path.bytesPerSecond = Number.POSITIVE_INFINITY;
    dyno.path.heal();
    for (;;) {
      const { nodes } = await tunnel();
      const cut = nodes.find(({ name }) => name === app.name)?.lastCut;
      if (cut !== undefined) {
        assert.equal(cut.code, 'NODE_STALLED');
        assert.equal(cut.message, 'the tunnel took nothing from the node for 5 s');
        break;
      }
      await app.eval('timer:sleep(100)');
    }
    assert.match(
      await laptop.run('status'),
      /last cut +app@\S+: the tunnel took nothing from the node for 5 s \(NODE_STALLED\)/,
    );
  });
});
