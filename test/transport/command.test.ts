import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createTransport } from '../../src/transport/create.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { stillRuns } from '../support/bridge.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { own, type PipeOwner } from '../support/recording-pipe.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;

describe('a command as the way', () => {
  let folder: string;
  let logger: RecordingLogger;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-command-'));
    logger = new RecordingLogger();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const way = (command: string, env: NodeJS.ProcessEnv = process.env): Transport =>
    createTransport(
      { kind: 'command', command },
      { agentPort: 1, env, clock: systemClock, logger },
    );
  const run = async (command: string): Promise<PipeOwner> => {
    const carrier = await way(command).connect(never);
    return own(await carrier.openAgentPipe(never));
  };
  const failure = async (command: string): Promise<EpmuxError | undefined> => {
    const owner = await run(command);
    await owner.called('closed');
    return owner.error;
  };

  it('is called by its program alone', () => {
    const target = (command: string): string => way(command).target;
    assert.equal(target('kubectl exec -i pod -- epmux agent --stdio'), 'command: kubectl');
    assert.equal(target(' exec /usr/bin/ssh host epmux'), 'command: ssh');
    assert.equal(target('TOKEN="a b" kubectl exec'), 'command: sh');
    assert.equal(target('(cd /; cat)'), 'command: sh');
    assert.equal(target('docker'), 'command: docker');
  });

  it('says with what code it ended and what its last words were', async () => {
    const error = await failure('echo all is lost >&2; exit 3');
    assert.equal(error?.code, 'COMMAND_FAILED');
    assert.equal(error?.message, 'the command ended with code 3: all is lost');
    assert.ok(logger.lines.some((line) => line.includes('all is lost')));
  });

  it('says so also when it ended well, for the pipe did not', async () => {
    assert.match((await failure('true'))?.message ?? '', /ended with code 0/);
  });

  it('delivers what a command wrote before it failed', async () => {
    const owner = await run('echo hello; exit 1');
    await owner.called('closed');
    assert.equal(owner.text, 'hello\n');
    assert.equal(owner.error?.code, 'COMMAND_FAILED');
  });

  it('shows no orderly end of one that failed, though its output ends first', async () => {
    const owner = await run('exec >&-; exit 3');
    await owner.called('closed');
    assert.equal(owner.error?.message, 'the command ended with code 3');
    assert.ok(!owner.calls.includes('end'));
  });

  it('says that there is no such program', async () => {
    const error = await failure('epmux-no-such-program');
    assert.match(error?.message ?? '', /ended with code 127: .*epmux-no-such-program/);
  });

  it('says which signal ended it', async () => {
    assert.match((await failure('kill -9 $$'))?.message ?? '', /was ended by SIGKILL/);
  });

  it('keeps of a flood of words the last ones, without control characters', async () => {
    const error = await failure(
      `i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done >&2; printf '\\033[31mred\\r\\n' >&2; exit 1`,
    );
    assert.match(error?.message ?? '', /: line 19997 \/ line 19998 \/ line 19999 \/ +\[31mred$/);
    assert.ok(Math.max(...logger.lines.map((line) => line.length)) < 10_000);
  });

  it('has the environment that it is given', async () => {
    const carrier = await way('printf %s "$MARK"; cat >/dev/null', { MARK: 'seen' }).connect(never);
    const pipe = await carrier.openAgentPipe(never);
    const owner = own(pipe);
    await owner.until(() => owner.text === 'seen');
    pipe.close();
  });

  it('ends with all that it has started, also what ignores TERM', async () => {
    const file = join(folder, 'pid');
    const carrier = await way(
      `trap '' TERM; sleep 1000 & echo $$ > '${file}'; echo ready; cat >/dev/null; wait`,
    ).connect(never);
    const pipe = await carrier.openAgentPipe(never);
    const owner = own(pipe);
    await owner.called('bytes');
    const pid = Number(readFileSync(file, 'utf8'));
    assert.ok(stillRuns(pid));
    pipe.close();
    await owner.called('closed');
    await until(() => !stillRuns(pid));
  });

  it('ends what it left behind when it failed', async () => {
    const owner = await run('sleep 1000 >/dev/null 2>&1 </dev/null & echo $$; exit 1');
    await owner.called('closed');
    const pid = Number(owner.text);
    await until(() => !stillRuns(pid));
  });
});
