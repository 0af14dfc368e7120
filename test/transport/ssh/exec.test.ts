import assert from 'node:assert/strict';
import { own } from '../../support/recording-pipe.ts';
import { until } from '../../support/until.ts';
import { commandsOverSsh } from './exec-support.ts';
import { connectTo } from './support.ts';

const never = new AbortController().signal;
const AS_ROOT = process.getuid?.() === 0;

describe('a command over SSH', () => {
  const over = commandsOverSsh();

  it('tells its exit code', async () => {
    const result = await over.run("sh -c 'exit 7'");
    assert.equal(result.code, 7);
    assert.equal(result.signal, undefined);
    assert.equal(result.owner.error, undefined);
  });

  it('tells the signal that ended it', async () => {
    const result = await over.run("sh -c 'kill -TERM $$'");
    assert.deepEqual([result.code, result.signal], [undefined, 'SIGTERM']);
  });

  it('keeps stdout and stderr apart, and is not over before both were delivered', async () => {
    const result = await over.run('for i in 1 2 3; do echo out$i; echo err$i >&2; done');
    assert.equal(result.stdout, 'out1\nout2\nout3\n');
    assert.equal(result.stderr, 'err1\nerr2\nerr3\n');
  });

  it('goes on after its stdout has ended, to its exit code', async () => {
    const result = await over.run('echo done; exec >&- 2>&-; sleep 0.2; exit 9');
    assert.deepEqual([result.stdout, result.code], ['done\n', 9]);
    assert.deepEqual(result.owner.calls.slice(-2), ['end', 'closed']);
  });

  it('ends in order though nobody has ended its stdin', async () => {
    const remote = await over.start('exit 3');
    const owner = own(remote.io);
    await owner.called('closed');
    assert.equal(owner.error, undefined);
    assert.equal((await remote.exited).code, 3);
  });

  for (const ended of [false, true]) {
    it(`takes signals${ended ? ', also after its stdin has ended' : ''}${AS_ROOT ? ' (of root: OpenSSH says that it passes none on)' : ''}`, async () => {
      const seen = over.sshd.log().length;
      const remote = await over.start('echo ready; exec sleep 20');
      const owner = own(remote.io);
      if (ended) remote.io.end();
      await owner.called('bytes');
      remote.signal('SIGTERM');
      if (AS_ROOT) {
        await until(() => /session_signal_req/.test(over.sshd.log().slice(seen)));
        remote.close();
      } else {
        await owner.called('closed');
        assert.deepEqual(await remote.exited, { code: undefined, signal: 'SIGTERM' });
      }
    });
  }

  it('refuses a signal that SSH can’t name', async () => {
    const remote = await over.start('cat');
    assert.throws(() => remote.signal('SIGWINCH'), { code: 'USAGE' });
    remote.close();
  });

  it('is over at once when it is closed, and then takes nothing', async () => {
    const remote = await over.start('cat');
    const owner = own(remote.io);
    remote.close();
    remote.close();
    remote.resize(1, 1);
    remote.signal('TERM');
    await owner.called('closed');
    assert.equal(owner.error, undefined);
    assert.deepEqual(await remote.exited, { code: undefined, signal: undefined });
  });

  it('breaks off with PIPE_LOST when the connection is lost', async () => {
    const other = await connectTo(over.sshd);
    assert.ok(other.exec);
    const remote = await other.exec({ command: 'cat' }, never);
    const owner = own(remote.io);
    other.close();
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.deepEqual(await remote.exited, { code: undefined, signal: undefined });
    await assert.rejects(other.exec({ command: 'true' }, never), { code: 'PIPE_LOST' });
  });

  it('is given up when told to', async () => {
    assert.ok(over.carrier.exec);
    await assert.rejects(over.carrier.exec({ command: 'cat' }, AbortSignal.abort()), {
      code: 'INTERRUPTED',
    });
  });
});
