import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { IncomingStream } from '../../src/runtime/session-stream.ts';
import { own } from '../support/recording-pipe.ts';
import { echo, pour, sha256, Tunnel } from './tunnel-support.ts';

describe('a session over real sockets', () => {
  let tunnel: Tunnel;

  beforeEach(async () => {
    tunnel = await new Tunnel().listen();
  });
  afterEach(() => tunnel.close());

  it('carries a stream there and back and ends it in order at both ends', async () => {
    await tunnel.attach();
    tunnel.onIncoming = echo;
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    stream.write(Buffer.from('hello'));
    await stream.accepted;
    stream.end();
    await owner.called('closed');
    assert.deepEqual([owner.text, owner.error], ['hello', undefined]);
    assert.ok(owner.calls.includes('end'));
  });

  it('tells why a target is rejected', async () => {
    await tunnel.attach();
    tunnel.onIncoming = (stream) => stream.reject({ code: 11, text: 'no such node: a' });
    const stream = tunnel.daemon.open('node/a', 'interactive');
    await assert.rejects(stream.accepted, { code: 'NODE_NOT_FOUND', message: 'no such node: a' });
  });

  it('publishes the agent’s directory, and what changed during an outage', async () => {
    const publish = (epoch: number): void =>
      tunnel.agent.setDirectory({ epoch, epmdDown: false, truncated: false, nodes: [] });
    publish(1);
    await tunnel.attach();
    while (tunnel.directories.at(-1) !== 1) await once(tunnel.news, 'news');
    tunnel.cut();
    publish(2);
    await tunnel.attach();
    while (tunnel.directories.at(-1) !== 2) await once(tunnel.news, 'news');
    assert.deepEqual(tunnel.directories, [1, 2]);
  });

  it('loses no byte through cuts in the middle of a transfer in both directions', async () => {
    await tunnel.attach();
    const [down, up] = [randomBytes(6_000_000), randomBytes(4_000_000)];
    const arrivedUp = new EventEmitter();
    tunnel.onIncoming = (stream) => {
      stream.accept();
      const received: Uint8Array[] = [];
      let at = 0;
      const pump = (): void => {
        while (at < down.length) {
          const more = stream.write(down.subarray(at, at + 50_000));
          at += 50_000;
          if (!more) return;
        }
        stream.end();
      };
      stream.start({
        onBytes: (chunk) => received.push(chunk),
        onWritable: pump,
        onEnd: () => arrivedUp.emit('all', Buffer.concat(received)),
        onClosed() {},
      });
      pump();
    };
    const stream = tunnel.daemon.open('node/a', 'bulk');
    const received: Uint8Array[] = [];
    let bytes = 0;
    let cuts = 0;
    let at = 0;
    const allUp = once(arrivedUp, 'all');
    const allDown = new Promise<void>((resolve) => {
      const pump = (): void => {
        while (at < up.length) {
          const more = stream.write(up.subarray(at, at + 33_333));
          at += 33_333;
          if (!more) return;
        }
        stream.end();
      };
      stream.start({
        onBytes: (chunk) => {
          received.push(chunk);
          bytes += chunk.length;
          if (cuts < 10 && bytes > (cuts + 1) * 500_000) {
            cuts += 1;
            tunnel.cut();
            void tunnel.attach();
          }
        },
        onWritable: pump,
        onEnd: resolve,
        onClosed() {},
      });
      pump();
    });
    const [[gotUp]] = (await Promise.all([allUp, allDown])) as unknown as [[Buffer]];
    assert.equal(cuts, 10);
    assert.ok(tunnel.resumed >= 10);
    assert.equal(sha256(Buffer.concat(received)), sha256(down));
    assert.equal(sha256(gotUp), sha256(up));
  });

  it('pushes back on a writer whose reader is paused, and keeps other streams going', async () => {
    await tunnel.attach();
    let paused: IncomingStream | undefined;
    tunnel.onIncoming = (stream) => {
      if (stream.target === 'node/slow') {
        paused = stream;
        stream.accept();
      } else {
        echo(stream);
      }
    };
    const payload = randomBytes(3_000_000);
    const slow = tunnel.daemon.open('node/slow', 'bulk');
    pour(slow, payload);
    const quick = tunnel.daemon.open('node/quick', 'interactive');
    const owner = own(quick);
    quick.write(Buffer.from('still here?'));
    await owner.called('bytes');
    assert.ok(slow.bufferedBytes > 0);
    assert.ok(paused);
    const late = own(paused);
    await late.called('end');
    assert.equal(sha256(late.bytes), sha256(payload));
  });

  it('takes the session over from a pipe that is still there', async () => {
    await tunnel.attach();
    tunnel.onIncoming = echo;
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    await tunnel.attach();
    stream.write(Buffer.from('same stream'));
    await owner.called('bytes');
    assert.equal(owner.text, 'same stream');
    assert.equal(tunnel.resumed, 1);
    assert.deepEqual(tunnel.losses, []);
  });

  it('ends every stream at both ends with a goodbye', async () => {
    await tunnel.attach();
    const atAgent: IncomingStream[] = [];
    tunnel.onIncoming = (stream) => {
      stream.accept();
      atAgent.push(stream);
    };
    const stream = tunnel.daemon.open('node/a', 'interactive');
    const owner = own(stream);
    await stream.accepted;
    tunnel.agent.goodbye({ code: 9, text: 'the agent stops' });
    await owner.called('closed');
    assert.equal(owner.error?.message, 'the agent stops');
    assert.throws(() => tunnel.daemon.open('node/a', 'interactive'), { code: 'SESSION_LOST' });
    const [other] = atAgent;
    assert.ok(other);
    await own(other).called('closed');
  });
});
