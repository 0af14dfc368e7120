import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { EPMUX } from '../support/dyno.ts';
import {
  endProgram,
  freePort,
  type Program,
  startProgram,
  within,
} from '../support/erlang-process.ts';
import type { StandInApp } from '../support/heroku/app.ts';
import type { StandInDyno } from '../support/heroku/dyno.ts';
import { namespacesMissing } from '../support/heroku/namespace.ts';
import { OfficialRun, officialCli, TunnelHosts } from '../support/heroku/official-cli.ts';
import { HerokuStandIn } from '../support/heroku/stand-in.ts';
import { Laptop } from '../support/laptop.ts';

const program = officialCli();
const missing =
  program === undefined ? 'the official heroku CLI is not installed' : namespacesMissing();
const SECRET = 'a secret of at least sixteen bytes';

describe('the official CLI against the stand-in for Heroku', function () {
  this.timeout(120_000);
  if (missing !== undefined || program === undefined) {
    it(`can't be tested here: ${missing}`);
    return;
  }
  let heroku: HerokuStandIn;
  let app: StandInApp;
  let dyno: StandInDyno;
  let agent: Program;
  const hosts = new TunnelHosts();
  const run = (...args: string[]) => new OfficialRun(program, [...args, '-a', 'my-app'], heroku);

  before(async () => {
    heroku = await HerokuStandIn.start();
    heroku.tunnelHost = hosts.hostOf;
    app = heroku.addApp('my-app');
    app.boot = async (each) => void (await each.app());
    dyno = await app.scaleUp('web.1');
    agent = await startAgent(dyno);
  });
  after(async () => {
    if (agent !== undefined) await endProgram(agent);
    hosts.stop();
    await heroku?.stop();
  });

  it('runs a command by ps:exec', async () => {
    const exec = new OfficialRun(program, ['ps:exec', '-a', 'my-app', '--', 'hostname'], heroku);
    assert.equal(await exec.ended(), 0, exec.output);
    assert.ok(exec.output.includes(dyno.hostName), exec.output);
  });

  it('lists dynos by ps:exec --status', async () => {
    const status = run('ps:exec', '--status');
    assert.equal(await status.ended(), 0, status.output);
    assert.match(status.output, /web\.1\s+up\s+running/);
  });

  it('forwards a port by ps:forward', async () => {
    const port = await freePort();
    const forward = run('ps:forward', `${port}:4369`);
    await forward.says(/Use .*CTRL\+C/);
    assert.match(await namesFrom(port), /name app at port \d+/);
    await forward.interrupt();
  });

  it('forwards the agent’s port by ps:forward for epmux --connect', async () => {
    const port = await freePort();
    const forward = run('ps:forward', `${port}:9001`);
    await forward.says(/Use .*CTRL\+C/);
    await pongs(dyno, '--connect', `127.0.0.1:${port}`);
    await forward.interrupt();
  });

  it('is a SOCKS proxy by ps:socks for epmux --via', async () => {
    const socks = run('ps:socks');
    await socks.says(/SOCKSv5 proxy server started on port .*1080/);
    await pongs(dyno, '--via', 'socks5://127.0.0.1:1080', '--connect', '127.0.0.1:9001');
    await socks.interrupt();
  });
});

async function startAgent(dyno: StandInDyno): Promise<Program> {
  const argv = [...dyno.prefix, ...EPMUX, 'agent', '--log-level', 'info'];
  const agent = startProgram(argv, { ...dyno.erlang.env, EPMUX_SECRET: SECRET });
  let said = '';
  const listening = new Promise<void>((resolve) => {
    agent.stderr.on('data', (chunk) => {
      said += chunk;
      if (said.includes('listening')) resolve();
    });
  });
  await within(listening, () => `the agent to listen: ${said}`);
  return agent;
}

async function pongs(dyno: StandInDyno, ...way: string[]): Promise<void> {
  const laptop = await Laptop.start({ cookie: dyno.erlang.cookie });
  laptop.env['EPMUX_SECRET'] = SECRET;
  try {
    await laptop.run('up', 'dyno', ...way);
    assert.match(await laptop.run('ping'), /pong/);
  } finally {
    await laptop.stop();
  }
}

/** epmd's answer to NAMES_REQ. */
function namesFrom(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from([0, 1, 110])));
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
