import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

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
  readonly #child;
  readonly #closed: Promise<unknown[]>;
  #stderr = '';

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'demo', ...args], {
      env: { ...process.env, TMPDIR: this.#folder, MARK: this.#mark, NO_COLOR: '1', ...env },
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

  /** Processes that this demo started, and its files. A process that was killed takes a moment to go. */
  #leftovers(): string[] {
    // With the environment of each process, on Linux and macOS alike.
    const listed = execFileSync('ps', ['axeww'], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const processes = listed.split('\n').filter((line) => line.includes(this.#mark));
    // tsx, which only the tests run it by, has a cache there.
    const files = readdirSync(this.#folder).filter((name) => !name.startsWith('tsx-'));
    return [...processes.map((line) => line.slice(0, SHOWN_CHARS)), ...files];
  }
}

const STEPS = ['node', 'dyno', 'daemon', 'tunnel up', 'nodes', 'ping'];
const CUT = ['call', 'cut', 'resumed', 'returned', 'ping', 'tidied up'];

/** A PATH on which there is node, and no Erlang. */
function pathWithoutErlang(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-path-'));
  const link = join(folder, 'node');
  symlinkSync(process.execPath, link);
  return { path: folder, remove: () => execFileSync('rm', ['-r', folder]) };
}

describe('epmux demo', function () {
  this.timeout(60 * SECOND_MS);
  this.slow(30 * SECOND_MS);

  it('cuts a call of a real node in the middle, and it returns', async () => {
    const demo = new Demo(['--json']);
    const { code, stderr } = await demo.ended();
    assert.equal(code, 0, stderr);
    const { ms, steps } = JSON.parse(demo.lines.join('\n')) as Report;
    assert.deepEqual(
      steps.map(({ step }) => step),
      [...STEPS, 'local node', ...CUT],
    );
    assert.match(steps[0]?.detail ?? '', /Erlang\/OTP \d+/);
    assert.match(steps.find(({ step }) => step === 'returned')?.detail ?? '', /ok, no nodedown/);
    assert.ok(ms < 30 * SECOND_MS);
  });

  it('does without Erlang, and says so', async () => {
    const { path, remove } = pathWithoutErlang();
    const demo = new Demo([], { PATH: path });
    const { code, stderr } = await demo.ended();
    remove();
    assert.equal(code, 0, stderr);
    assert.match(demo.lines.join('\n'), /node +my_app@dyno, a stand-in: no Erlang/);
    for (const step of [...STEPS, ...CUT]) {
      assert.ok(
        demo.lines.some((line) => line.startsWith(`  ✓ ${step} `)),
        step,
      );
    }
    assert.match(demo.lines.join('\n'), /pong, no nodedown/);
  });

  for (const [signal, step] of [
    ['SIGINT', 'dyno'],
    ['SIGTERM', 'cut'],
  ] as const) {
    it(`tidies up after ${signal} at the step ${step}`, async () => {
      const demo = new Demo([]);
      await demo.told(new RegExp(`✓ ${step} `));
      demo.signal(signal);
      assert.deepEqual((await demo.ended()).code, 130);
    });
  }

  it('tidies up when nobody reads its output any more', async () => {
    const demo = new Demo([]);
    await demo.told(/✓ nodes /);
    demo.stopReading();
    assert.deepEqual((await demo.ended()).code, 0);
  });

  it('is kept running until a signal, for the commands that it prints', async () => {
    const demo = new Demo(['--keep']);
    const line = await demo.told(/export EPMUX_HOME=/);
    const home = /EPMUX_HOME='(.+)'/.exec(line)?.[1] ?? '';
    const args = ['--import', 'tsx', MAIN, 'nodes'];
    const nodes = execFileSync(process.execPath, args, {
      env: { ...process.env, EPMUX_HOME: home },
      encoding: 'utf8',
    });
    assert.match(nodes, /^my_app@dyno/);
    demo.signal('SIGINT');
    assert.equal((await demo.ended()).code, 0);
  });

  it('fails with the error of the step that failed, and tidies up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'epmux-path-'));
    // An erl that is found and then does not start as a node.
    const fake = join(folder, 'bin');
    execFileSync('mkdir', [fake]);
    const script = `#!/bin/sh\ncase "$*" in *otp_release*) echo "found 99|${folder}|${process.execPath}";; *) echo out of luck; exit 7;; esac\n`;
    execFileSync('tee', [join(fake, 'erl')], { input: script });
    execFileSync('chmod', ['+x', join(fake, 'erl')]);
    const demo = new Demo([], { PATH: `${fake}${delimiter}${process.env['PATH']}` });
    const { code, stderr } = await demo.ended();
    execFileSync('rm', ['-r', folder]);
    assert.equal(code, 1);
    assert.match(stderr, /^epmux: epmd ended .+ \(DEMO_FAILED\)$/m);
  });
});
