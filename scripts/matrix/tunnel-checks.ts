import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { TestDyno } from '../../test/support/dyno.ts';
import type { ErlangNode } from '../../test/support/erlang.ts';
import { within } from '../../test/support/erlang.ts';
import { endProgram, startProgram } from '../../test/support/erlang-process.ts';
import { Laptop } from '../../test/support/laptop.ts';
import { inTerminal, type Keys, type } from '../../test/support/terminal.ts';
import { type Check, type PairResult, runChecks } from './result.ts';

/** A laptop, a dyno, and the app's node in that. */
export interface TunnelPair {
  readonly laptop: Laptop;
  readonly dyno: TestDyno;
  readonly app: ErlangNode;
}

const SLOW_MS = 60_000;
/**
 * A question at the first prompt; Ctrl-C at the second, once the answer is there; out by the menu
 * behind that.
 */
const KEYS: readonly Keys[] = [
  {
    after: /app@[\w-]+\)1>/,
    text: 'IO.puts("here is " <> System.otp_release() <> " of #{node()}")\r',
  },
  { after: /here is \d[\s\S]*app@[\w-]+\)2>/, text: '\u0003' },
  { after: /\(d\)istribution/, text: 'a\n' },
];

const up: Check<TunnelPair> = {
  check: 'up',
  look: async ({ laptop, dyno, app }) => {
    const said = await laptop.run('up', 'prod', ...laptop.wayTo(dyno));
    assert.match(said, new RegExp(app.name));
    return 'the node is listed';
  },
};

const ping: Check<TunnelPair> = {
  check: 'ping',
  look: async ({ laptop, app }) => {
    const said = await laptop.run('ping', app.name);
    assert.match(said, /^pong/);
    return said.trim();
  },
};

/** In a terminal, left by Ctrl-C. */
const remsh: Check<TunnelPair> = {
  check: 'remsh',
  look: async ({ laptop, app }) => {
    const terminal = inTerminal([...laptop.program, 'remsh', app.name], {
      cwd: laptop.erlang.home,
      env: { ...laptop.env, TERM: 'xterm' },
      limitMs: SLOW_MS,
    });
    type(terminal, KEYS);
    const { code, said } = await terminal.ended;
    const answer = /here is \d+ of \S+@[\w-]+/.exec(said);
    assert.ok(answer !== null, `no answer of the shell: ${said.slice(-500)}`);
    assert.equal(code, 0, `the shell ended with ${code}`);
    return answer[0];
  },
};

/** A user's own `iex --hidden` in the shell's environment of `epmux env`. */
const iex: Check<TunnelPair> = {
  check: 'iex',
  look: async ({ laptop, app }) => {
    const ask = `[_] = Node.list(:hidden); IO.inspect({:seen, :rpc.call(:"${app.name}", Node, :self, [])})`;
    const script = `true = Node.connect(:"${app.name}"); ${ask}; System.halt(0)`;
    const words = ['iex', '--hidden', '--sname', `guest@${laptop.erlang.hostName}`, '-e', script];
    const env = { ...laptop.erlang.env, ...(await laptop.shellEnv()) };
    const child = startProgram([...laptop.erlang.prefix, ...words], env);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
    }
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    try {
      assert.equal(await within(exited, () => said, SLOW_MS), 0, said);
    } finally {
      await endProgram(child);
    }
    assert.ok(said.includes(`{:seen, :"${app.name}"}`), said);
    return 'connected, hidden';
  },
};

const cut: Check<TunnelPair> = {
  check: 'call through a cut',
  look: async ({ laptop, dyno, app }) => {
    // The node in the dyno has seen others of other laptops come and go.
    const me = await laptop.node(`me${randomBytes(3).toString('hex')}`, { tickTimeS: 4 });
    assert.equal(await me.eval(`net_kernel:connect_node('${app.name}')`), 'true');
    assert.equal(await app.eval('nodes()'), '[]');
    const call = me.eval(`rpc:call('${app.name}', timer, sleep, [1500])`, SLOW_MS);
    await app.eval('ok');
    dyno.path.reset();
    assert.equal(await call, 'ok');
    const { links } = await laptop.tunnel();
    const resumes = links[0]?.resumes ?? 0;
    assert.ok(resumes > 0, 'the cut was not seen');
    for (const [at, of] of [
      [me, app],
      [app, me],
    ] as const) {
      const lost = at.events.some(({ type, node }) => type === 'nodedown' && node === of.name);
      assert.ok(!lost, `${at.name} lost ${of.name}`);
    }
    return 'answered, no nodedown';
  },
};

export const ALL_CHECKS = [up, ping, remsh, iex, cut];

export function checkTunnel(
  title: string,
  pair: TunnelPair,
  checks: readonly Check<TunnelPair>[],
): Promise<PairResult> {
  return runChecks(title, checks, pair);
}

/** What carries the tunnel, when these programs do. */
export async function checkCarriers(
  title: string,
  programs: { readonly epmux: readonly string[]; readonly agent: readonly string[] },
): Promise<PairResult> {
  const dyno = await TestDyno.start({ agentProgram: programs.agent });
  try {
    const app = await dyno.erlang.node('app', { tickTimeS: 4 });
    const laptop = await Laptop.start({ program: programs.epmux });
    try {
      return await checkTunnel(title, { laptop, dyno, app }, [up, ping, cut]);
    } finally {
      await laptop.stop();
    }
  } finally {
    await dyno.stop();
  }
}
