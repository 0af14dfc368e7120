import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const SECOND_MS = 1_000;
const LEFTOVER_MS = 5_000;
const SHOWN_CHARS = 120;

interface Report {
  readonly ms: number;
  readonly steps: readonly {
    readonly step: string;
    readonly detail: string;
    readonly ms: number | null;
  }[];
}

/** One `epmux demo` in a temporary folder of its own. */
class Demo {
  readonly lines: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'epmux-test-'));
  readonly #mark = `mark-${randomUUID()}`;
  /** What begins with it is looked for at the end. */
  readonly env: NodeJS.ProcessEnv = { ...process.env, MARK: this.#mark };
  readonly #child;
  readonly #closed: Promise<unknown[]>;
  #stderr = '';

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'demo', ...args], {
      env: { ...this.env, TMPDIR: this.#folder, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.lines.push(line);
      this.#child.emit('told');
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#closed = once(this.#child, 'close');
  }

  async told(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.lines.find((candidate) => pattern.test(candidate));
      if (line !== undefined) return line;
      const ended = this.#closed.then(() => {
        throw new Error(`it ended: ${this.lines.join('\n')}\n${this.#stderr}`);
      });
      await Promise.race([once(this.#child, 'told'), ended]);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stopReading(): void {
    this.#child.stdout.destroy();
  }

  /** Exit code and stderr, once it has ended, and with the proof that nothing is left. */
  async ended(): Promise<{ readonly code: unknown; readonly stderr: string }> {
    const [code, signal] = await this.#closed;
    const deadline = performance.now() + LEFTOVER_MS;
    while (this.#leftovers().length > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(this.#leftovers(), []);
    rmSync(this.#folder, { recursive: true });
    return { code: code ?? signal, stderr: this.#stderr };
  }

  /**
   * Processes that this demo started, and its files. A process that was killed takes a moment to
   * go.
   */
  #leftovers(): string[] {
    // With the environment of each process, on Linux and macOS alike.
    const listed = execFileSync('ps', ['axeww'], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const processes = listed.split('\n').filter((line) => line.includes(this.#mark));
    // tsx, which only the tests run it by, has a cache there.
    const files = readdirSync(this.#folder).filter((name) => !name.startsWith('tsx-'));
    return [...processes.map((line) => line.slice(0, SHOWN_CHARS)), ...files];
  }
}

const DYNOS = ['web.1', 'web.2', 'worker.1'];
const BEGINNING = ['heroku', 'dynos', 'daemon', 'tunnel up', 'nodes', ...DYNOS, 'ping'];
const CUT = ['call', 'cut', 'resumed', 'returned'];
const END = ['back', 'ping', 'tidied up'];

describe('epmux demo', function () {
  this.timeout(120 * SECOND_MS);
  this.slow(30 * SECOND_MS);

  let folder = '';
  /** A PATH on which there is node, and no Erlang: quicker. */
  let withoutErlang: NodeJS.ProcessEnv = {};

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-path-'));
    symlinkSync(process.execPath, join(folder, 'node'));
    withoutErlang = { PATH: folder };
  });
  after(() => rmSync(folder, { recursive: true }));

  it('cuts a call to a real node in the middle, and it returns; restarts a dyno, and it is back', async () => {
    const demo = new Demo(['--json']);
    const { code, stderr } = await demo.ended();
    assert.equal(code, 0, stderr);
    const { steps } = JSON.parse(demo.lines.join('\n')) as Report;
    assert.deepEqual(
      steps.map(({ step }) => step),
      [...BEGINNING, 'local node', ...CUT, 'ps:restart', 'nodedown', ...END],
    );
    const detail = (name: string) => steps.find(({ step }) => step === name)?.detail ?? '';
    assert.match(detail('dynos'), /OTP \d+/);
    const nodes = DYNOS.map((dyno) => /^(my_app\w*@\w+) at/.exec(detail(dyno))?.[1]);
    assert.equal(new Set(nodes).size, 3);
    assert.match(detail('returned'), /: ok, no nodedown$/);
    assert.match(detail('nodedown'), new RegExp(`${nodes[1]}, and no other$`));
    assert.match(detail('back'), /^my_app\w*@\w+, by itself/);
    assert.ok(!nodes.some((node) => detail('back').includes(String(node))), detail('back'));
  });

  it('does without Erlang, goes by nothing that its user has set, and is kept running until a signal', async () => {
    const elsewhere = 'http://127.0.0.1:9';
    const demo = new Demo(['--keep'], {
      ...withoutErlang,
      HEROKU_API_KEY: 'of the user',
      HEROKU_API_URL: elsewhere,
      HEROKU_HEADERS: 'no JSON',
      EPMUX_SECRET: 'a secret of the user',
      EPMUX_COOKIE: 'of the user',
      HTTP_PROXY: elsewhere,
      NODE_USE_ENV_PROXY: '1',
    });
    const line = await demo.told(/export EPMUX_HOME=/);
    const home = /EPMUX_HOME='(.+)'/.exec(line)?.[1] ?? '';
    const nodes = execFileSync(process.execPath, ['--import', 'tsx', MAIN, 'nodes'], {
      env: { ...demo.env, EPMUX_HOME: home },
      encoding: 'utf8',
    });
    for (const dyno of DYNOS) assert.match(nodes, new RegExp(`my_app\\w*@.*${dyno}`));
    await demo.told(/curl -X DELETE/);
    demo.signal('SIGINT');
    const { code, stderr } = await demo.ended();
    assert.equal(code, 0, stderr);
    const shown = demo.lines.flatMap((each) => /^ {2}✓ (.{12}) /.exec(each)?.[1]?.trim() ?? []);
    assert.deepEqual(shown, [...BEGINNING, ...CUT, 'ps:restart', ...END]);
    assert.match(demo.lines.join('\n'), /stand-ins: no Erlang here/);
    assert.match(demo.lines.join('\n'), /pong, no nodedown/);
  });

  for (const [signal, step] of [
    ['SIGINT', 'heroku'],
    ['SIGTERM', 'dynos'],
    ['SIGHUP', 'dynos'],
    ['SIGINT', 'ps:restart'],
  ] as const) {
    it(`tidies up after ${signal} at the step ${step}`, async () => {
      const demo = new Demo([], step === 'ps:restart' ? withoutErlang : {});
      await demo.told(new RegExp(`✓ ${step} `));
      demo.signal(signal);
      assert.deepEqual((await demo.ended()).code, 130);
    });
  }

  it('does not wait for an Erlang that it looks for when it is interrupted', async () => {
    const stuck = join(folder, 'stuck');
    mkdirSync(stuck);
    const script = '#!/bin/sh\ntrap \'\' INT TERM\n: >"$0.started"\nexec sleep 60\n';
    writeFileSync(join(stuck, 'erl'), script, { mode: 0o755 });
    const demo = new Demo([], { PATH: `${stuck}${delimiter}${process.env['PATH']}` });
    while (!existsSync(join(stuck, 'erl.started'))) await delay(20);
    const start = performance.now();
    demo.signal('SIGINT');
    assert.equal((await demo.ended()).code, 130);
    assert.ok(performance.now() - start < 10 * SECOND_MS);
  });

  it('tidies up when nobody reads its output any more', async () => {
    const demo = new Demo([], withoutErlang);
    await demo.told(/✓ dynos /);
    demo.stopReading();
    assert.deepEqual((await demo.ended()).code, 0);
  });

  it('says which step failed at the beginning and why, and tidies up', async () => {
    // An erl that is found and then does not start as a node.
    const fake = join(folder, 'bin');
    execFileSync('mkdir', [fake]);
    const script = `#!/bin/sh\ncase "$*" in *otp_release*) echo "found 99|${folder}|${process.execPath}";; *) echo out of luck; exit 7;; esac\n`;
    execFileSync('tee', [join(fake, 'erl')], { input: script });
    execFileSync('chmod', ['+x', join(fake, 'erl')]);
    const demo = new Demo([], { PATH: `${fake}${delimiter}${process.env['PATH']}` });
    const { code, stderr } = await demo.ended();
    assert.equal(code, 1);
    assert.match(stderr, /^epmux: step "dynos": epmd of web\.\d ended .+ \(DEMO_FAILED\)$/m);
    assert.ok(demo.lines.some((line) => line.trim() === '✗ dynos'));
  });

  it('says which step failed in the middle, and tidies up', async () => {
    const root = join(folder, 'worn');
    execFileSync('mkdir', ['-p', join(root, 'bin'), join(root, 'starts')]);
    const [erl, epmd] = ['erl', 'epmd'].map((name) =>
      execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
    );
    // Three nodes and the local one start, the restarted one does not.
    const script = [
      '#!/bin/sh',
      `case "$*" in *otp_release*) echo "found 99|${root}|${epmd}"; exit;; esac`,
      `case "$*" in *-sname*) : >'${root}/starts/'$$;; esac`,
      `[ "$(ls '${root}/starts' | wc -l)" -le 4 ] || { echo worn out; exit 7; }`,
      `exec '${erl}' "$@"`,
    ];
    execFileSync('tee', [join(root, 'bin', 'erl')], { input: script.join('\n') });
    execFileSync('chmod', ['+x', join(root, 'bin', 'erl')]);
    const path = `${join(root, 'bin')}${delimiter}${process.env['PATH']}`;
    const demo = new Demo([], { PATH: path });
    const { code, stderr } = await demo.ended();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^epmux: step "back": the node of web\.2 ended \(exit 7\): worn out \(DEMO_FAILED\)$/m,
    );
    assert.equal(demo.lines.at(-1)?.trim(), '✗ back');
  });
});
