import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SessionRegistry } from '../../src/agent/registry.ts';
import { WireCode } from '../../src/protocol/constants.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { OpenedAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { Directory, SessionStats } from '../../src/session/types.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';

const MIB = 1024 * 1024;
const GRACE_MS = SESSION_DEFAULTS.graceMs;
const DIRECTORY: Directory = { epoch: 7, epmdDown: false, truncated: false, nodes: [] };

/** Driver's turns are immediates. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function cut(pipe: MemoryPipe | undefined): void {
  pipe?.handlers?.onClosed(new EpmuxError('PIPE_LOST', 'cut'));
}

function written(pipe: MemoryPipe): Buffer {
  return Buffer.concat(pipe.written);
}

/** A session that says it keeps as much as the test wants it to. */
class FatSession extends Session {
  keptBytes = 0;
  override stats(now: number): SessionStats {
    return { ...super.stats(now), heldBytes: this.keptBytes };
  }
}

describe("the agent's registry of sessions", () => {
  let clock: ManualClock;
  let registry: SessionRegistry;
  let sessions: Map<string, FatSession>;
  let attached: number[];

  beforeEach(() => {
    clock = new ManualClock();
    sessions = new Map();
    attached = [];
    registry = new SessionRegistry({
      clock,
      log: silentLogger,
      createSession: (id) => {
        const bytes = Buffer.from(id, 'hex');
        const session = new FatSession('agent', SESSION_DEFAULTS, bytes, clock.now());
        sessions.set(id, session);
        return session;
      },
      directory: () => DIRECTORY,
      onIncoming: (stream) => stream.reject({ code: WireCode.UNKNOWN_TARGET, text: '' }),
      onAttached: (count) => attached.push(count),
      onEnded: () => undefined,
      limits: { sessions: 3, heldBytes: 10 * MIB },
    });
  });

  function attach(id: string, kind: 'new' | 'resume' = 'new', received = 0): MemoryPipe {
    const pipe = new MemoryPipe();
    const opened: OpenedAgentPipe = {
      pipe,
      peer: { minor: 0, software: 'test', bootId: '', hostName: '' },
      attach: { type: 'ATTACH', kind, sessionId: id, received },
      rest: new Uint8Array(0),
    };
    registry.attach(opened);
    return pipe;
  }

  const newId = (): string => randomBytes(16).toString('hex');
  const refusal = (pipe: MemoryPipe): number | undefined =>
    written(pipe)[0] === 0x02 ? written(pipe).readUInt16BE(8) : undefined;

  it('answers a new session and tells it the directory', async () => {
    const pipe = attach(newId());
    await turns();
    const answer = encodeFrame({ type: 'ATTACHED', kind: 'new', received: 0 });
    assert.deepEqual(written(pipe).subarray(0, answer.length), Buffer.from(answer));
    const directory = encodeFrame({ type: 'DIRECTORY', directory: DIRECTORY });
    assert(written(pipe).includes(Buffer.from(directory)));
  });

  it('refuses to resume a session it does not know', async () => {
    const pipe = attach(newId(), 'resume');
    await turns();
    assert.equal(refusal(pipe), WireCode.SESSION_UNKNOWN);
    assert.equal(pipe.ended, true);
    assert.equal(registry.size, 0);
  });

  it('takes a new session of an id that it has as a resume, on the newer pipe', async () => {
    const id = newId();
    const older = attach(id);
    const newer = attach(id);
    await turns();
    assert(older.closed);
    assert.equal(newer.closed, undefined);
    assert.equal(registry.size, 1);
    assert.equal(written(newer).readUInt8(0), 0x04);
  });

  it('ends a session whose position can not be resumed from', async () => {
    const id = newId();
    attach(id);
    await turns();
    const pipe = attach(id, 'resume', 1_000_000);
    await turns();
    assert.equal(refusal(pipe), WireCode.POSITION);
    assert.equal(registry.size, 0);
  });

  it('refuses a connection that was overtaken, and leaves its session to the newer one', async () => {
    const id = newId();
    const older = attach(id);
    await turns();
    const received = encodeFrame({ type: 'DIRECTORY', directory: DIRECTORY }).length;
    cut(older);
    const newer = attach(id, 'resume', received);
    const late = attach(id, 'resume', received - 1);
    await turns();
    assert.deepEqual([refusal(late), late.ended], [WireCode.POSITION, true]);
    assert.equal(newer.closed, undefined);
    assert.deepEqual([registry.size, attached.at(-1)], [1, 1]);
    cut(newer);
    assert.equal(refusal(attach(id, 'resume', received - 1)), WireCode.POSITION);
    await turns();
    assert.deepEqual([registry.size, attached.at(-1)], [1, 0], 'it waits for its daemon');
  });

  it('counts who is attached', async () => {
    const [one, two] = [attach(newId()), attach(newId())];
    await turns();
    cut(one);
    cut(two);
    await turns();
    assert.deepEqual(attached, [1, 2, 1, 0]);
    assert.equal(registry.size, 2, 'they wait for their grace');
  });

  it('forgets a session when its grace is over', async () => {
    cut(attach(newId()));
    await turns();
    clock.advance(GRACE_MS - 1_000);
    await turns();
    assert.equal(registry.size, 1);
    clock.advance(1_000);
    await turns();
    assert.equal(registry.size, 0);
  });

  it('says BUSY when all places are attached, and gives that of the longest detached away', async () => {
    const ids = [newId(), newId(), newId()];
    const pipes = ids.map((id) => attach(id));
    await turns();
    const late = attach(newId());
    await turns();
    assert.equal(refusal(late), WireCode.BUSY);
    cut(pipes[1]);
    clock.advance(1_000);
    cut(pipes[0]);
    await turns();
    const next = attach(newId());
    await turns();
    assert.equal(refusal(next), undefined);
    assert.equal(refusal(attach(ids[1] ?? '', 'resume')), WireCode.SESSION_UNKNOWN);
    assert.equal(refusal(attach(ids[0] ?? '', 'resume')), undefined);
  });

  it('gives detached sessions up, the longest detached first, when all keep too much', async () => {
    const ids = [newId(), newId(), newId()];
    const pipes = ids.map((id) => attach(id));
    for (const id of ids) Object.assign(sessions.get(id) ?? {}, { keptBytes: 6 * MIB });
    await turns();
    clock.advance(5_000);
    assert.equal(registry.size, 3, 'attached ones are left alone');
    cut(pipes[2]);
    await turns();
    clock.advance(100);
    cut(pipes[0]);
    await turns();
    clock.advance(1_000);
    await turns();
    assert.equal(registry.size, 1);
    const [, second = ''] = ids;
    assert.equal(sessions.get(second)?.stats(clock.now()).state, 'attached');
  });

  it('says goodbye to all', async () => {
    const pipe = attach(newId());
    cut(attach(newId()));
    await turns();
    registry.goodbye({ code: WireCode.SHUTDOWN, text: 'bye' });
    await turns();
    assert.equal(registry.size, 0);
    const goodbye = encodeFrame({ type: 'GOODBYE', code: WireCode.SHUTDOWN, text: 'bye' });
    assert(written(pipe).includes(Buffer.from(goodbye)));
    assert.equal(attached.at(-1), 0);
  });
});
