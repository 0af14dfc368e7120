import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeFrame } from '../../src/protocol/encode.ts';
import type { AgentHandshakeResult, DaemonHandshakeResult } from '../../src/protocol/handshake.ts';
import { chunkSizes, cutInto } from './arbitrary.ts';
import { hex } from './collect.ts';
import {
  ATTACH,
  changed,
  done,
  failed,
  feed,
  NOTHING,
  newAgent,
  newDaemon,
  refusal,
  SECRET,
} from './handshake-support.ts';
import { naiveSplit } from './naive.ts';

describe('handshake', () => {
  it('lets both ends know each other, whatever the pieces, and leaves what follows to the session', () => {
    fc.assert(
      fc.property(chunkSizes, fc.uint8Array({ maxLength: 60 }), (sizes, behind) => {
        const [daemon, agent] = [newDaemon(), newAgent()];
        const toAgent = feed(daemon, cutInto(agent.start(), sizes));
        assert.equal(toAgent.step.state, 'waiting');
        const fromDaemon = Buffer.concat([daemon.start(), toAgent.sent, behind]);
        const atAgent = feed(agent, cutInto(fromDaemon, sizes));
        const agentResult: AgentHandshakeResult = done(atAgent.step);
        const atDaemon = feed(daemon, cutInto(Buffer.concat([atAgent.sent, behind]), sizes));
        const daemonResult: DaemonHandshakeResult = done(atDaemon.step);

        assert.deepEqual(agentResult.attach, ATTACH);
        assert.deepEqual(agentResult.peer, {
          minor: 0,
          software: 'epmux/1.2.3',
          bootId: '',
          hostName: '',
        });
        assert.deepEqual(daemonResult.peer, {
          minor: 0,
          software: 'epmux/4.5.6',
          bootId: 'bb'.repeat(16),
          hostName: 'dyno',
        });
        for (const [rest, left] of [
          [agentResult.rest, atAgent.left],
          [daemonResult.rest, atDaemon.left],
        ]) {
          assert.deepEqual(
            new Uint8Array(Buffer.concat([rest ?? NOTHING, left ?? NOTHING])),
            behind,
          );
        }
      }),
    );
  });

  it('sends the attach once, only when an agent’s hello is there', () => {
    let asked = 0;
    const daemon = newDaemon(SECRET, () => {
      asked += 1;
      return encodeFrame(ATTACH);
    });
    const hello = newAgent().start();
    daemon.receive(hello.subarray(0, -1));
    assert.equal(asked, 0);
    daemon.receive(hello.subarray(-1));
    daemon.receive(Uint8Array.of(1));
    assert.equal(asked, 1);
  });

  it('lets the agent prove itself before ATTACH is there', () => {
    const [daemon, agent] = [newDaemon(), newAgent()];
    const { send } = daemon.receive(agent.start());
    agent.receive(daemon.start());
    const step = agent.receive(send.subarray(0, 40));
    assert.equal(step.state, 'waiting');
    assert.equal(naiveSplit(step.send)[0]?.type, 0x01);
  });

  it('refuses a daemon with another secret, and proves nothing to it', () => {
    const [daemon, agent] = [newDaemon(Buffer.from('another secret, just as long')), newAgent()];
    const { send } = daemon.receive(agent.start());
    const { step, sent } = feed(agent, [Buffer.concat([daemon.start(), send])]);
    failed(step, 'SECRET_REFUSED');
    assert.equal(refusal(sent), 3);
    failed(feed(daemon, [sent]).step, 'SECRET_REFUSED');
  });

  it('refuses an agent that does not know the secret, without a word', () => {
    const [daemon, agent] = [newDaemon(), newAgent()];
    daemon.receive(agent.start());
    const step = daemon.receive(encodeFrame({ type: 'PROOF', proof: new Uint8Array(32) }));
    failed(step, 'SECRET_REFUSED');
    assert.equal(step.send.length, 0);
  });

  it('does not take its own proof back from a mirror', () => {
    const [daemon, agent] = [newDaemon(), newAgent()];
    const { send } = daemon.receive(agent.start());
    failed(daemon.receive(send.subarray(0, 40)), 'SECRET_REFUSED');
    const mirrored = newDaemon();
    const step = mirrored.receive(mirrored.start());
    failed(step, 'PROTOCOL');
    assert.equal(refusal(step.send), 1);
  });

  it('holds no proof when a byte of either hello was changed on the way', () => {
    const length = newAgent().start().length;
    for (let at = 9; at < length; at++) {
      const [daemon, agent] = [newDaemon(), newAgent()];
      const hello = agent.start();
      const step = daemon.receive(changed(hello, at, (hello[at] ?? 0) ^ 1));
      if (step.state !== 'waiting' || step.send.length === 0) continue;
      const answer = feed(agent, [Buffer.concat([daemon.start(), step.send])]);
      failed(answer.step, 'SECRET_REFUSED');
    }
  });

  it('says what answers instead of an agent, and sends nothing more', () => {
    const banner = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';
    const step = newDaemon().receive(Buffer.from(banner));
    assert.match(failed(step, 'NOT_AN_AGENT').message, /"HTTP\/1\.1 400 Bad Request"/);
    assert.equal(step.send.length, 0);
    failed(newDaemon().receive(hex('45504d55ff')), 'NOT_AN_AGENT');
    const garbage = failed(newDaemon().receive(hex('1b5b324a')), 'NOT_AN_AGENT');
    assert.doesNotMatch(garbage.message, /says/);
    const stranger = newAgent().receive(Buffer.from('GET / HTTP/1.1\r\n'));
    failed(stranger, 'PROTOCOL');
    assert.equal(stranger.send.length, 0);
  });

  it('notices a pipe that rewrites line ends', () => {
    const rewritten = hex('45504d55580a1a');
    assert.match(failed(newDaemon().receive(rewritten), 'NOT_AN_AGENT').message, /line ends/);
  });

  it('refuses an end without a common version', () => {
    const agentHello = newAgent().start();
    const later = changed(changed(agentHello, 9, 2), 10, 3);
    const step = newDaemon().receive(later);
    assert.match(failed(step, 'VERSION_MISMATCH').message, /version 1 .* 2 to 3/);
    assert.equal(refusal(step.send), 2);
    const older = changed(changed(agentHello, 9, 0), 10, 0);
    failed(newDaemon().receive(older), 'VERSION_MISMATCH');
  });

  it('agrees with an end that also speaks a later major', () => {
    const newer = changed(changed(newAgent().start(), 10, 2), 11, 7);
    assert.equal(newDaemon().receive(newer).state, 'waiting');
  });

  it('refuses attributes over their cap before they come', () => {
    const hello = newAgent().start().subarray(0, 46);
    const step = newDaemon().receive(changed(changed(hello, 44, 0x04), 45, 0x01));
    failed(step, 'PROTOCOL');
    assert.equal(refusal(step.send), 1);
  });

  it('looks at nothing but a proof or a refusal before the proof', () => {
    for (const frame of [ATTACH, { type: 'PING', token: 1n } as const]) {
      const [daemon, agent] = [newDaemon(), newAgent()];
      const step = agent.receive(Buffer.concat([daemon.start(), encodeFrame(frame)]));
      failed(step, 'PROTOCOL');
      assert.equal(refusal(step.send), 1);
    }
    const agent = newAgent();
    agent.receive(newDaemon().start());
    failed(agent.receive(hex('80 000001 00000000')), 'PROTOCOL');
  });

  it('takes nothing between proof and ATTACH, optional frames included', () => {
    for (const between of [encodeFrame({ type: 'PING', token: 1n }), hex('b1 000000 00000000')]) {
      const [daemon, agent] = [newDaemon(), newAgent()];
      const { send } = daemon.receive(agent.start());
      const proof = send.subarray(0, 40);
      const { state } = agent.receive(Buffer.concat([daemon.start(), proof]));
      assert.equal(state, 'waiting');
      const step = agent.receive(between);
      failed(step, 'PROTOCOL');
      assert.equal(refusal(step.send), 1);
    }
  });

  it('refuses a length that a proof can not have, at its header', () => {
    const agent = newAgent();
    const step = agent.receive(Buffer.concat([newDaemon().start(), hex('01 000021 00000000')]));
    failed(step, 'PROTOCOL');
  });

  it('turns each refusal into the error that a person can act on', () => {
    const codes = [
      [2, 'VERSION_MISMATCH'],
      [3, 'SECRET_REFUSED'],
      [4, 'UNSUPPORTED'],
      [7, 'BUSY'],
      [9, 'SESSION_LOST'],
      [0xbeef, 'PROTOCOL'],
    ] as const;
    for (const [code, name] of codes) {
      const daemon = newDaemon();
      const refuse = encodeFrame({ type: 'REFUSE', code, text: 'because\u001b[2J' });
      const step = daemon.receive(Buffer.concat([newAgent().start(), refuse]));
      const error = failed(step, name);
      assert.ok(error.message.startsWith('because?[2J'), JSON.stringify(error.message));
    }
  });

  it('is over once it failed', () => {
    const daemon = newDaemon();
    daemon.receive(Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'));
    assert.throws(() => daemon.receive(NOTHING), { code: 'INTERNAL' });
  });

  it('takes no secret that could be guessed', () => {
    assert.throws(() => newDaemon(Buffer.from('fifteen bytes..')), { code: 'CONFIG_INVALID' });
  });
});
