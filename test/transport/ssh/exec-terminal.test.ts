import assert from 'node:assert/strict';
import { leaveOut, NO_TERMINALS } from '../../support/left-out.ts';
import { own } from '../../support/recording-pipe.ts';
import { startSshd } from '../../support/sshd.ts';
import { commandsOverSsh } from './exec-support.ts';
import { connectTo } from './support.ts';

const never = new AbortController().signal;
const TERMINAL = { term: 'xterm-256color', columns: 100, rows: 30 } as const;

describe('a command over SSH, and its terminal', () => {
  const over = commandsOverSsh();

  it('has the terminal that was asked for, and hears of its new size', async function () {
    if (!over.sshd.terminals) leaveOut(this, NO_TERMINALS);
    const remote = await over.start('echo $TERM; stty size; read line; stty size', TERMINAL);
    const owner = own(remote.io);
    await owner.until(() => owner.text.includes('30 100'));
    assert.match(owner.text, /xterm-256color/);
    remote.resize(132, 50);
    remote.io.write(Buffer.from('\r'));
    await owner.called('closed');
    assert.match(owner.text, /50 132/);
  });

  it('hears Ctrl-C through the terminal', async function () {
    if (!over.sshd.terminals) leaveOut(this, NO_TERMINALS);
    const remote = await over.start('echo ready; exec sleep 20', TERMINAL);
    const owner = own(remote.io);
    await owner.called('bytes');
    remote.io.write(Buffer.from([3]));
    await owner.called('closed');
    assert.deepEqual(await remote.exited, { code: undefined, signal: 'SIGINT' });
  });

  for (const terminal of [undefined, TERMINAL]) {
    const how = terminal === undefined ? 'without' : 'with';
    it(`is the login shell where none is named, ${how} a terminal`, async function () {
      if (terminal !== undefined && !over.sshd.terminals) leaveOut(this, NO_TERMINALS);
      const remote = await over.start(undefined, terminal);
      const owner = own(remote.io);
      remote.io.write(Buffer.from('test -t 0 && echo "a term""inal"; exit 4\n'));
      await owner.called('closed');
      assert.equal((await remote.exited).code, 4);
      assert.equal(owner.text.includes('a terminal'), terminal !== undefined);
    });
  }

  it('is refused in words of its own by a server that gives no terminal', async () => {
    const strict = await startSshd({ config: ['PermitTTY no'] });
    try {
      const other = await connectTo(strict);
      assert.ok(other.exec);
      await assert.rejects(other.exec({ command: 'true', terminal: TERMINAL }, never), {
        code: 'EXEC_REFUSED',
      });
      other.close();
    } finally {
      await strict.stop();
    }
  });
});
