import assert from 'node:assert/strict';
import { startProgram } from '../../src/demo/program.ts';

const LONG_MS = 10_000;
const never = new AbortController().signal;

function node(script: string) {
  return startProgram({
    title: 'the script',
    command: [process.execPath, '-e', script],
    env: process.env,
  });
}

describe('a program of the demo', () => {
  it('gives the lines that are asked for, each once, in any order', async () => {
    const program = node(
      "console.log('one 1'); console.error('two 2'); setInterval(() => {}, 1e6)",
    );
    assert.equal((await program.line(/^two (\d)/, LONG_MS, never))[1], '2');
    assert.equal((await program.line(/^one (\d)/, LONG_MS, never))[1], '1');
    await assert.rejects(program.line(/^one/, 10, never), { code: 'TIMEOUT' });
    await program.stop();
  });

  it('answers what is sent to it', async () => {
    const program = node("process.stdin.on('data', (d) => console.log('got ' + d))");
    program.send('hello');
    await program.line(/^got hello$/, LONG_MS, never);
    await program.stop();
  });

  it('says that it ended, how and with which last words', async () => {
    const program = node("console.error('no room'); process.exit(3)");
    await assert.rejects(program.line(/ready/, LONG_MS, never), {
      code: 'DEMO_FAILED',
      message: 'the script ended (exit 3): no room',
    });
    await program.stop();
  });

  it('says that it is not there', async () => {
    const program = startProgram({ title: 'it', command: ['/no/such/program'], env: {} });
    await assert.rejects(program.line(/ready/, LONG_MS, never), /it ended \(.*ENOENT/);
    await program.stop();
  });

  it('is not waited for beyond the limit, nor after an interruption', async () => {
    const program = node("console.log('here'); setInterval(() => {}, 1e6)");
    await program.line(/here/, LONG_MS, never);
    await assert.rejects(program.line(/more/, 10, never), { code: 'TIMEOUT' });
    await assert.rejects(program.line(/more/, LONG_MS, AbortSignal.abort()), {
      code: 'INTERRUPTED',
    });
    await program.stop();
  });

  it('is killed when it does not end on request', async function () {
    this.slow(10_000);
    const program = node(
      "process.on('SIGTERM', () => {}); console.log(process.pid); setInterval(() => {}, 1e6)",
    );
    const pid = Number((await program.line(/^\d+$/, LONG_MS, never))[0]);
    await program.stop();
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    await program.stop();
  });
});
