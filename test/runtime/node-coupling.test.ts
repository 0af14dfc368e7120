import assert from 'node:assert/strict';
import { encodeStatus, Flag, framed } from '../../src/erlang/handshake.ts';
import { WireCode } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { EndReason } from '../../src/protocol/frames.ts';
import { NodeCoupling, type NodeCouplingOptions } from '../../src/runtime/node-coupling.ts';
import { handshake, message, TICK } from '../support/handshakes.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';

class MemoryTunnel extends MemoryPipe {
  resetBy: EndReason | undefined;

  get resetCode(): number | undefined {
    return this.resetBy?.code;
  }

  reset(reason: EndReason): void {
    this.resetBy ??= reason;
  }
}

const STALL_MS = 30_000;
const IN_ORDER = { error: undefined };

function coupled(options: Partial<NodeCouplingOptions> = {}) {
  const node = new MemoryPipe();
  const tunnel = new MemoryTunnel();
  const clock = new ManualClock();
  const ends: EndReason[] = [];
  const coupling = new NodeCoupling({
    node,
    tunnel,
    clock,
    relay: { side: 'acceptor', nodeSilenceMs: 300_000 },
    onClosed: (reason) => ends.push(reason),
    ...options,
  });
  return { node, tunnel, clock, ends, coupling };
}

/** Past the handshake, with nothing left in what was written. */
function connected(options: Partial<NodeCouplingOptions> = {}) {
  const all = coupled(options);
  const side = options.relay?.side ?? 'acceptor';
  for (const { from, bytes } of handshake()) {
    (from === side ? all.node : all.tunnel).handlers?.onBytes(bytes);
  }
  assert.equal(all.coupling.relay.phase, 'messages');
  all.node.written.length = 0;
  all.tunnel.written.length = 0;
  return all;
}

describe('a node coupled with the tunnel', () => {
  it('is fed ticks while the tunnel is silent, and has its own swallowed', () => {
    const { node, tunnel, clock } = connected();
    for (let second = 0; second < 10; second += 1) {
      node.handlers?.onBytes(TICK);
      clock.advance(1_000);
    }
    assert.deepEqual(
      node.written,
      Array.from({ length: 5 }, () => TICK),
    );
    assert.deepEqual(tunnel.written, []);
  });

  it('is cut with NODE_SILENT when it sends nothing for too long', () => {
    const { node, tunnel, clock } = connected();
    clock.advance(299_999);
    assert.equal(tunnel.resetCode, undefined);
    clock.advance(1);
    assert.equal(tunnel.resetCode, WireCode.NODE_SILENT);
    assert.ok(node.closed?.error instanceof EpmuxError);
  });

  it('tells the other end when it refuses the cookie, by an end as by a reset', () => {
    const broken = new EpmuxError('PIPE_LOST', 'reset');
    for (const close of [
      ({ node }: ReturnType<typeof coupled>) => node.handlers?.onEnd(),
      ({ node }: ReturnType<typeof coupled>) => node.handlers?.onClosed(broken),
    ]) {
      const all = coupled({ onCookieRefused: (relay) => `why, ${relay.translated}` });
      for (const { from, bytes } of handshake().slice(0, -1)) {
        (from === 'acceptor' ? all.node : all.tunnel).handlers?.onBytes(bytes);
      }
      close(all);
      assert.deepEqual(all.tunnel.resetBy, { code: WireCode.COOKIE, text: 'why, false' });
    }
    const { node, tunnel } = connected({ onCookieRefused: () => 'why' });
    node.handlers?.onEnd();
    assert.equal(tunnel.resetBy, undefined, 'a close after the handshake is no refusal');
  });

  it('waits while the tunnel takes no more, and goes on when it does', () => {
    const { node, tunnel, clock } = connected();
    tunnel.takes = false;
    node.handlers?.onBytes(message(10));
    assert.equal(node.paused, true);
    // Not being read, the node is not silent.
    clock.advance(1_000_000);
    assert.equal(tunnel.resetCode, undefined);
    tunnel.handlers?.onWritable();
    assert.equal(node.paused, false);
  });

  it('makes the tunnel wait while it takes no more itself', () => {
    const { node, tunnel } = connected();
    node.takes = false;
    tunnel.handlers?.onBytes(message(10));
    assert.equal(tunnel.paused, true);
    node.handlers?.onWritable();
    assert.equal(tunnel.paused, false);
  });

  it('never waits with a message that the relay holds', () => {
    const { node, tunnel } = connected();
    node.takes = false;
    tunnel.handlers?.onBytes(message(10).subarray(0, 9));
    assert.equal(tunnel.paused, false);
    assert.deepEqual(node.written, []);
  });

  it('is over in order when both directions have ended', () => {
    const { node, tunnel, clock, ends } = connected();
    node.handlers?.onEnd();
    assert.equal(tunnel.ended, true);
    tunnel.handlers?.onEnd();
    assert.equal(node.ended, true);
    tunnel.handlers?.onClosed(undefined);
    assert.deepEqual(ends, []);
    node.handlers?.onClosed(undefined);
    assert.deepEqual(ends, [{ code: WireCode.NONE, text: '' }]);
    assert.equal(clock.waiting, 0);
  });

  it('that keeps its half open after its peer closed is closed', () => {
    const { node, tunnel, clock } = connected();
    tunnel.handlers?.onEnd();
    clock.advance(4_999);
    assert.equal(node.closed, undefined);
    clock.advance(1);
    assert.ok(node.closed !== undefined && tunnel.closed !== undefined);
  });

  it('that gives up within the handshake cancels the stream, and what was on its way to it is dropped', () => {
    for (const said of [0, 1, 3]) {
      const { node, tunnel, clock, ends } = coupled({ relay: { side: 'connector' } });
      for (const { from, bytes } of handshake().slice(0, said)) {
        (from === 'connector' ? node : tunnel).handlers?.onBytes(bytes);
      }
      node.handlers?.onEnd();
      assert.equal(tunnel.resetCode, WireCode.CANCELLED);
      assert.equal(tunnel.ended, false);
      assert.ok(node.closed !== undefined);
      node.handlers?.onClosed(undefined);
      tunnel.handlers?.onClosed(undefined);
      assert.equal(ends.length, 1);
      assert.equal(clock.waiting, 0);
    }
  });

  it('that was refused and closes ends in order', () => {
    const { node, tunnel } = coupled({ relay: { side: 'connector' } });
    const [name] = handshake();
    assert.ok(name !== undefined);
    node.handlers?.onBytes(name.bytes);
    tunnel.handlers?.onBytes(framed(encodeStatus('not_allowed')));
    tunnel.handlers?.onEnd();
    node.handlers?.onEnd();
    assert.deepEqual([tunnel.ended, tunnel.resetCode], [true, undefined]);
  });

  it('that closed waits without a limit for the relay of its peer, and 5 s for the peer itself', () => {
    const closed = (ticks: 'feed' | 'pass') => {
      const all = connected({ relay: { side: 'connector', ticks } });
      all.node.handlers?.onEnd();
      return all;
    };
    const through = closed('feed');
    through.clock.advance(1_000_000);
    assert.equal(through.tunnel.closed, undefined);
    const straight = closed('pass');
    straight.clock.advance(4_999);
    assert.deepEqual([straight.tunnel.ended, straight.tunnel.closed], [true, undefined]);
    straight.clock.advance(1);
    assert.deepEqual([straight.tunnel.closed, straight.node.closed], [IN_ORDER, IN_ORDER]);
  });

  it('that closed is not closed before its last words have left', () => {
    const { node, tunnel, clock } = connected({ relay: { side: 'connector', ticks: 'pass' } });
    tunnel.bufferedBytes = 1;
    node.handlers?.onEnd();
    clock.advance(60_000);
    assert.equal(tunnel.closed, undefined);
    tunnel.bufferedBytes = 0;
    clock.advance(5_000);
    assert.deepEqual(tunnel.closed, IN_ORDER);
  });

  it('is left alone without an agent for as long as neither has closed', () => {
    const { node, tunnel, clock } = connected({ relay: { side: 'connector', ticks: 'pass' } });
    clock.advance(30 * 86_400_000);
    assert.deepEqual([node.closed, tunnel.closed], [undefined, undefined]);
    assert.equal(clock.waiting, 0);
  });

  it('hands on what the relay held when its direction ends in the middle', () => {
    const { node, tunnel } = connected();
    const half = message(10).subarray(0, 9);
    tunnel.handlers?.onBytes(half);
    tunnel.handlers?.onEnd();
    assert.deepEqual(Buffer.concat(node.written), half);
  });

  it('that breaks ends the stream with ENDPOINT_GONE, and the first reason wins', () => {
    const { node, tunnel, coupling, ends } = connected();
    node.handlers?.onClosed(new EpmuxError('PIPE_LOST', 'reset'));
    assert.equal(tunnel.resetCode, WireCode.ENDPOINT_GONE);
    coupling.close({ code: WireCode.SHUTDOWN, text: '' });
    tunnel.handlers?.onClosed(undefined);
    assert.deepEqual(ends, [{ code: WireCode.ENDPOINT_GONE, text: 'reset' }]);
  });

  it('is reset when the stream is', () => {
    const { node, tunnel, ends } = connected();
    tunnel.handlers?.onClosed(new EpmuxError('TIMEOUT', 'too late'));
    assert.ok(node.closed?.error instanceof EpmuxError);
    node.handlers?.onClosed(undefined);
    assert.deepEqual(ends, [{ code: WireCode.TIMEOUT, text: 'too late' }]);
  });

  it('is closed at once when the other end lets go of the stream without a reason', () => {
    const { node, tunnel, ends } = connected();
    tunnel.handlers?.onClosed(undefined);
    assert.ok(node.closed !== undefined);
    node.handlers?.onClosed(undefined);
    assert.deepEqual(ends, [{ code: WireCode.NONE, text: '' }]);
  });

  it('is told that a visible node is not let through, before it is closed', () => {
    const { node, tunnel, clock } = coupled({ relay: { side: 'connector', hiddenOnly: true } });
    const [name] = handshake({ connectorFlags: Flag.PUBLISHED });
    assert.ok(name !== undefined);
    node.handlers?.onBytes(name.bytes);
    assert.deepEqual(node.written, [framed(encodeStatus('not_allowed'))]);
    assert.equal(tunnel.resetCode, WireCode.HIDDEN_ONLY);
    assert.ok(node.ended && node.closed === undefined);
    clock.advance(5_000);
    assert.ok(node.closed !== undefined);
  });
});

describe('a tunnel that a node waits on', () => {
  function stalling() {
    const all = connected({ stallMs: STALL_MS });
    all.tunnel.takes = false;
    all.tunnel.bufferedBytes = 100_000;
    all.node.handlers?.onBytes(message(10));
    return all;
  }

  it('is cut with STALLED when it took nothing for so long', () => {
    const { node, tunnel, clock } = stalling();
    clock.advance(STALL_MS - 1);
    assert.equal(tunnel.resetCode, undefined);
    clock.advance(1);
    assert.equal(tunnel.resetCode, WireCode.STALLED);
    assert.ok(node.closed !== undefined);
  });

  it('is left alone for as long as it takes something now and then', () => {
    const { tunnel, clock } = stalling();
    for (let turn = 0; turn < 20; turn += 1) {
      clock.advance(STALL_MS - 5_000);
      tunnel.bufferedBytes -= 1;
    }
    assert.equal(tunnel.resetCode, undefined);
  });

  it('begins anew each time there was room', () => {
    const { node, tunnel, clock } = stalling();
    clock.advance(STALL_MS - 1);
    tunnel.handlers?.onWritable();
    clock.advance(STALL_MS);
    node.handlers?.onBytes(message(10));
    clock.advance(STALL_MS - 1);
    assert.equal(tunnel.resetCode, undefined);
    clock.advance(1);
    assert.equal(tunnel.resetCode, WireCode.STALLED);
  });
});
