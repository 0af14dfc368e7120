import assert from 'node:assert/strict';
import type { Carrier, ExecRequest, RemoteProcess } from '../../../src/transport/transport.ts';
import { own, type PipeOwner } from '../../support/recording-pipe.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { connectTo } from './support.ts';

const never = new AbortController().signal;

export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly owner: PipeOwner;
}

/** For the suite that calls this: an SSH server, a connection to it, and commands over that. */
export function commandsOverSsh() {
  let sshd: TestSshd;
  let carrier: Carrier;

  before(async () => {
    sshd = await startSshd();
    carrier = await connectTo(sshd);
  });
  after(async () => {
    carrier.close();
    await sshd.stop();
  });

  const start = (
    command: string | undefined,
    terminal?: ExecRequest['terminal'],
  ): Promise<RemoteProcess> => {
    assert.ok(carrier.exec);
    return carrier.exec({ command, terminal }, never);
  };

  /** Runs it to its end, with empty stdin. */
  const run = async (command: string): Promise<CommandRun> => {
    const remote = await start(command);
    let stderr = '';
    remote.onStderr((chunk) => {
      stderr += Buffer.from(chunk).toString();
    });
    const owner = own(remote.io);
    remote.io.end();
    await owner.called('closed');
    return { stdout: owner.text, stderr, owner, ...(await remote.exited) };
  };

  return {
    start,
    run,
    get sshd() {
      return sshd;
    },
    get carrier() {
      return carrier;
    },
  };
}
