import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentChoice, LinkState, LinkStatus } from '../../../src/daemon/control/api.ts';
import { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import type { DynoLink } from '../../../src/daemon/links/dyno-link.ts';
import { PUSH_REQUEST } from '../../../src/daemon/links/push-script.ts';
import type { LinkMemory } from '../../../src/daemon/memory.ts';
import { duplexPipe } from '../../../src/runtime/socket-pipe.ts';
import type { Carrier, FirstRequest, Transport } from '../../../src/transport/transport.ts';
import { agentBundle } from '../../support/agent-process.ts';
import { ErlangHost, type ErlangNode } from '../../support/erlang.ts';
import { PushHost } from '../../support/push-host.ts';
import { socketPair } from '../../support/socket-pair.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { TestAgent } from '../../support/test-agent.ts';
import { SeenOfLink, searchingLink } from './searching-link.ts';

const SECRET = 'a secret of sixteen bytes';

interface Wanted {
  readonly choice?: AgentChoice;
  readonly agentPort?: number;
  readonly secret?: string | undefined;
  readonly inherited?: Omit<LinkMemory, 'id'>;
  readonly transport?: Transport;
  readonly bundle?: AgentBundle;
}

describe('a link to a host that may have no agent', function () {
  this.timeout(30_000);
  let dyno: ErlangHost;
  let app: ErlangNode;
  let host: PushHost;
  let bare: PushHost;
  let bundle: AgentBundle;
  let link: DynoLink | undefined;
  let listening: TestAgent | undefined;
  let seen: SeenOfLink;
  let foreseen: (FirstRequest | undefined)[];

  const folder = tempFolder();

  before(async () => {
    bundle = new AgentBundle(await agentBundle());
    dyno = await ErlangHost.start();
    app = await dyno.node('app');
    host = await PushHost.start();
    bare = await PushHost.start({ node: 'none' });
  });
  after(async () => {
    await host?.stop();
    await bare?.stop();
    await dyno?.stop();
  });
  beforeEach(() => {
    seen = new SeenOfLink();
    foreseen = [];
  });
  afterEach(async () => {
    await link?.close();
    await listening?.stop();
    link = undefined;
    listening = undefined;
    await host.deserted();
  });

  const begin = (
    to: PushHost,
    { choice = 'auto', agentPort = 1, secret, inherited, transport, bundle: other }: Wanted = {},
  ): DynoLink => {
    const { epmdPort } = dyno;
    const way = watched(transport ?? to.transport(agentPort));
    link = searchingLink(
      { choice, epmdPort, transport: () => way, secret, inherited, bundle: other ?? bundle },
      seen,
    );
    link.start();
    return link;
  };
  /** Notes what is said to be asked for first, once it has been. */
  const watched = (way: Transport): Transport => ({
    ...way,
    async connect(signal, first) {
      const carrier = await way.connect(signal, first);
      foreseen.push(first?.());
      return carrier;
    },
  });
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) await delay(10);
  };
  const reaches = async (state: LinkState): Promise<LinkStatus> => {
    await until(() => link?.machine.state === state);
    assert.ok(link !== undefined);
    return link.status();
  };
  const listen = async (secret: string): Promise<number> => {
    listening = await TestAgent.start(secret, ['--epmd-port', String(dyno.epmdPort)]);
    return listening.port;
  };

  it('pushes one, resumes its session when the connection was reset, and leaves nothing', async () => {
    const closing = begin(host);
    assert.deepEqual([closing.status().mode, closing.status().agent], ['agent', null]);
    const { mode, agent, whyDirect, incarnation } = await reaches('up');
    assert.deepEqual([mode, agent, whyDirect], ['agent', 'pushed', null]);
    assert.match(
      seen.steps.join('\n'),
      /pushing an agent\nattached to the pushed agent \(epmux\/.* v\d/,
    );
    await until(() => seen.nodes?.includes(app.name) === true);
    for (let cut = 1; cut <= 2; cut += 1) {
      await host.sshd.resetConnections();
      await until(() => link?.status().resumes === cut);
      assert.equal((await reaches('up')).incarnation, incarnation);
      assert.equal(link?.status().agent, 'pushed');
    }
    const ofPushed = { agentPort: closing.memory().pushed?.port };
    assert.deepEqual(foreseen, [PUSH_REQUEST, ofPushed, ofPushed]);
    const { rttMs } = link?.status() ?? {};
    assert.match(String(rttMs), /^\d+(\.\d\d?)?$/, 'rounded to hundredths');
    assert.equal(host.processes().size, 1);
    assert.deepEqual(seen.nodes, [app.name]);
    await closing.close();
    await host.deserted();
  });

  it('pushes one while it still looks for another that it has no secret for', async () => {
    const way = host.transport(1);
    let isPushing = false;
    const late: Transport = {
      ...way,
      async connect(signal) {
        const carrier = await way.connect(signal);
        const exec: Carrier['exec'] = (request, abort) => {
          isPushing = true;
          return (carrier.exec ?? assert.fail)(request, abort);
        };
        const openAgentPipe: Carrier['openAgentPipe'] = async (abort, port) => {
          if (port === undefined) await until(() => isPushing);
          return carrier.openAgentPipe(abort, port);
        };
        return { ...carrier, exec, openAgentPipe };
      },
    };
    begin(host, { transport: late });
    assert.equal((await reaches('up')).agent, 'pushed');
  });

  it('begins anew with another one when the one pushed is gone', async () => {
    begin(host);
    const { incarnation } = await reaches('up');
    for (const pid of host.processes().keys()) process.kill(pid, 'SIGKILL');
    await until(() => ![null, incarnation].includes(link?.status().incarnation ?? null));
    await reaches('up');
    assert.equal(seen.failures[0]?.code, 'AGENT_MISSING');
    assert.match(seen.failures[0]?.message ?? '', /pushed there is gone/);
  });

  /**
   * A transport whose pipes to a pushed agent, once it is up, are closed without a word so often.
   */
  const wordless = (
    times: number,
  ): { readonly transport: Transport; readonly begin: () => void } => {
    let left = 0;
    const way = host.transport(1);
    const transport: Transport = {
      ...way,
      async connect(signal, first) {
        const carrier = await way.connect(signal, first);
        const openAgentPipe: Carrier['openAgentPipe'] = async (abort, port) => {
          if (left === 0 || port === undefined) return carrier.openAgentPipe(abort, port);
          left -= 1;
          const [near, far] = await socketPair();
          far.destroy();
          return duplexPipe(near, 'the agent');
        };
        return { ...carrier, openAgentPipe };
      },
    };
    return {
      transport,
      begin: () => {
        left = times;
      },
    };
  };

  for (const [what, times] of [
    [
      'goes on with the one pushed, and its session, when it closed two connections without a word',
      2,
    ],
    ['begins anew when the one pushed closed three connections without a word', 3],
  ] as const) {
    it(what, async () => {
      const way = wordless(times);
      begin(host, { transport: way.transport });
      const { incarnation } = await reaches('up');
      way.begin();
      if (times === 3) for (const pid of host.processes().keys()) process.kill(pid, 'SIGKILL');
      await host.sshd.resetConnections();
      await until(() => seen.failures.length >= times);
      const { incarnation: then, resumes } = await reaches('up');
      assert.deepEqual([then === incarnation, resumes], times === 2 ? [true, 1] : [false, 0]);
    });
  }

  for (const [what, pushes, stub] of [
    ['ends at its first connection', 2, '() => process.exit(1)'],
    ['answers otherwise', 1, '(socket) => socket.end("HTTP/1.1 400 Bad Request\\r\\n\\r\\n")'],
  ] as const) {
    it(`does not push an agent that ${what} again and again, and goes without`, async () => {
      const file = join(folder.path, 'agent.mjs');
      const listen = `createServer(${stub}).listen({ fd: 3 }, () => console.log("up"))`;
      const end = `setTimeout(() => process.exit(), 4_000)`;
      writeFileSync(file, `import { createServer } from "node:net"; ${listen}; ${end};`);
      begin(host, { bundle: new AgentBundle(file) });
      const { mode, whyDirect } = await reaches('up');
      assert.equal(mode, 'direct');
      assert.match(whyDirect ?? '', /none can be pushed \(the one pushed last /);
      assert.equal(seen.steps.filter((step) => step === 'pushing an agent').length, pushes);
      assert.ok(host.processes().size <= 1);
      for (const pid of host.processes().keys()) process.kill(pid, 'SIGKILL');
      host.clean();
    });
  }

  it('goes on with the one that another worker had pushed, and ends the session that was left', async () => {
    const before = begin(host);
    const { incarnation } = await reaches('up');
    const inherited = before.memory();
    assert.equal(inherited.sessions?.length, 1);
    const after = begin(host, { inherited });
    assert.equal((await reaches('up')).incarnation, incarnation);
    await until(() => !after.memory().sessions?.includes(inherited.sessions?.[0] ?? ''));
    assert.equal(after.memory().sessions?.length, 1);
    assert.deepEqual(after.memory().pushed, inherited.pushed);
    assert.equal(host.processes().size, 1);
    await until(() => seen.failures.some(({ code }) => code === 'SESSION_LOST'));
    await before.close();
  });

  it('is two of their own when two push at once', async () => {
    const first = begin(host);
    const second = begin(host);
    await until(() => first.machine.state === 'up' && second.machine.state === 'up');
    assert.notEqual(first.status().incarnation, second.status().incarnation);
    await first.close();
    await until(() => host.processes().size === 1);
    assert.equal(second.machine.state, 'up');
  });

  it('uses the one that listens', async () => {
    begin(host, { agentPort: await listen(SECRET), secret: SECRET });
    assert.equal((await reaches('up')).agent, 'listening');
    assert.match(seen.steps.at(-1) ?? '', /^attached to the agent/);
    assert.equal(host.processes().size, 0);
    assert.deepEqual(foreseen, [{ agentPort: undefined }]);
  });

  for (const [what, secret] of [
    ['another secret', 'another secret of enough bytes'],
    ['a secret that nobody told', undefined],
  ] as const) {
    it(`pushes one beside an agent with ${what}`, async () => {
      begin(host, { agentPort: await listen(SECRET), secret });
      assert.equal((await reaches('up')).agent, 'pushed');
      assert.match(seen.steps.at(-1) ?? '', /^attached to the pushed agent/);
    });
  }

  it('pushes one also where one is required', async () => {
    begin(host, { choice: 'require' });
    assert.equal((await reaches('up')).mode, 'agent');
  });

  it('goes without where there is no Node, and says why', async () => {
    begin(bare);
    const { mode, agent, whyDirect } = await reaches('up');
    assert.deepEqual([mode, agent], ['direct', null]);
    await until(() => seen.nodes?.includes(app.name) === true);
    const why = /no agent listens there, and none can be pushed \(no Node\.js was found there.*\)/;
    assert.match(seen.steps.join('\n'), why);
    assert.match(seen.log.lines.join('\n'), why);
    assert.match(whyDirect ?? '', why);
    assert.deepEqual(bare.files(), []);
  });

  it('goes without where no secret is known and none can be pushed', async () => {
    begin(bare, { agentPort: await listen(SECRET) });
    assert.equal((await reaches('up')).mode, 'direct');
    assert.match(seen.steps.join('\n'), /no secret is known .*, and none can be pushed/);
  });

  it('does not go without when the secret is wrong and none can be pushed', async () => {
    begin(bare, { agentPort: await listen(SECRET), secret: 'another secret of enough bytes' });
    await reaches('failed');
    assert.equal(seen.failures[0]?.code, 'SECRET_REFUSED');
  });

  it('fails where one is required and none can be pushed, and does not look for Node each time', async () => {
    begin(bare, { choice: 'require' });
    await until(() => seen.failures.length === 3);
    for (const { code, message } of seen.failures) {
      assert.equal(code, 'AGENT_MISSING');
      assert.match(message, /nothing listens on .*, and none can be pushed: no Node\.js/);
    }
    assert.equal(seen.steps.filter((step) => step === 'pushing an agent').length, 1);
  });

  it('goes without at once when told to', async () => {
    begin(host, { choice: 'none' });
    const { mode, whyDirect } = await reaches('up');
    assert.deepEqual([mode, whyDirect], ['direct', '--agent none']);
    assert.ok(!seen.steps.includes('pushing an agent'));
    assert.deepEqual(foreseen, [undefined]);
  });
});
