import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { MAJOR_VERSION, MINOR_VERSION } from '../../src/protocol/constants.ts';
import { readHello } from '../../src/protocol/hello.ts';
import { EPMUX } from '../support/dyno.ts';
import { ErlangHost, type ErlangNode, freePort, within } from '../support/erlang.ts';
import { endProgram, type Program, startProgram } from '../support/erlang-process.ts';
import { Laptop } from '../support/laptop.ts';
import {
  LATER_ATTRIBUTE,
  nextMinor,
  type Release,
  recordedRelease,
  recordedVersions,
} from '../support/releases.ts';
import { Saboteur } from '../support/saboteur.ts';

const SECRET = 'a secret of sixteen bytes';
const today: Release = { name: 'today’s', epmux: EPMUX, agent: [...EPMUX, 'agent'] };

describe('a release of epmux and another', function () {
  this.timeout(90_000);
  let host: ErlangHost;
  let app: ErlangNode;
  let agent: Program | undefined;
  let path: Saboteur | undefined;
  let laptop: Laptop | undefined;

  before(async () => {
    host = await ErlangHost.start();
    app = await host.node('app');
  });
  afterEach(async () => {
    await laptop?.stop();
    if (agent !== undefined) await endProgram(agent, 0);
    await path?.stop();
    laptop = agent = path = undefined;
  });
  after(() => host?.stop());

  /** An agent of this release, and its port. */
  async function startAgent(release: Release): Promise<number> {
    const port = await freePort();
    const env = { ...host.env, EPMUX_SECRET: SECRET };
    const started = startProgram([...release.agent, '--port', String(port)], env);
    agent = started;
    started.stdout.resume();
    let said = '';
    const listening = new Promise<void>((resolve) => {
      started.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
        if (said.includes('listening')) resolve();
      });
    });
    await within(listening, () => said);
    return port;
  }

  async function startLaptop(release: Release): Promise<Laptop> {
    laptop = await Laptop.start({ program: release.epmux });
    laptop.env['EPMUX_SECRET'] = SECRET;
    return laptop;
  }

  async function worksThroughCut(daemonOf: Release, agentOf: Release): Promise<void> {
    const port = await startAgent(agentOf);
    path = await Saboteur.start({ host: '127.0.0.1', port });
    const user = await startLaptop(daemonOf);
    assert.match(await user.run('up', 'prod', '--connect', `127.0.0.1:${path.port}`), /app@/);
    assert.match(await user.run('ping', app.name), /^pong/);
    path.reset();
    assert.match(await user.run('ping', app.name), /^pong/);
    const { tunnels } = JSON.parse(await user.run('status', '--json'));
    assert.equal(tunnels[0].links[0].resumes, 1);
    assert.deepEqual(
      tunnels[0].nodes.map(({ name, state }: { name: string; state: string }) => [name, state]),
      [[app.name, 'up']],
    );
  }

  describe('that was recorded', () => {
    for (const version of recordedVersions()) {
      it(`works with today’s daemon through a cut (the agent of protocol ${version})`, () =>
        worksThroughCut(today, recordedRelease(version)));

      it(`works with today’s agent through a cut (the daemon of protocol ${version})`, () =>
        worksThroughCut(recordedRelease(version), today));

      it(`works on its stdin and stdout (the agent of protocol ${version})`, async () => {
        const user = await startLaptop(today);
        const secretFile = join(user.erlang.home, 'secret');
        writeFileSync(secretFile, SECRET, { mode: 0o600 });
        const options = ['--stdio', '--secret-file', secretFile, '--epmd-port', host.epmdPort];
        const words = [...recordedRelease(version).agent, ...options];
        await user.run('up', 'prod', '--command', words.join(' '));
        assert.match(await user.run('ping', app.name), /^pong/);
      });
    }

    it('is there for this version of the protocol and for those before', () => {
      const recorded = recordedVersions();
      for (let minor = 0; minor <= MINOR_VERSION; minor += 1) {
        assert.ok(recorded.includes(`${MAJOR_VERSION}.${minor}`), `${MAJOR_VERSION}.${minor}`);
      }
    });
  });

  describe('that is a minor later, and adds what a minor may', () => {
    let later: Release;
    before(async () => {
      later = await nextMinor();
    });

    it('says so in its hello', async () => {
      const socket = connect(await startAgent(later), '127.0.0.1');
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      const hello = readHello(bytes, 'agent');
      assert.equal(hello?.minor, MINOR_VERSION + 1);
      assert.equal(Buffer.from(hello.attributes).readUInt16BE(0), LATER_ATTRIBUTE);
    });

    it('works with today’s daemon through a cut', () => worksThroughCut(today, later));

    it('works with today’s agent through a cut', () => worksThroughCut(later, today));
  });
});
