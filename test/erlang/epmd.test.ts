import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import {
  type EpmdAnswer,
  type EpmdNode,
  type EpmdRequest,
  encodeEpmdRequest,
  MAX_NAMES_ANSWER_BYTES,
  namesAnswer,
  portAnswer,
} from '../../src/erlang/epmd.ts';
import {
  EpmdRequestParser,
  encodeAliveAnswer,
  encodeNamesAnswer,
  encodePortAnswer,
  MAX_EPMD_REQUEST_BYTES,
} from '../../src/erlang/epmd-server.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { aliveAnswer } from '../support/alive-answer.ts';
import { ErlangHost } from '../support/erlang.ts';

const names = fc.stringMatching(/^[a-zåß0-9_-]{1,60}$/u);
const nodes: fc.Arbitrary<EpmdNode> = fc.record(
  {
    name: names,
    port: fc.nat(65_535),
    visible: fc.boolean(),
    highest: fc.constantFrom(5, 6),
    lowest: fc.constantFrom(5, 6),
    extra: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);
const requests: fc.Arbitrary<EpmdRequest> = fc.oneof(
  nodes.map((node) => ({ kind: 'alive' as const, node })),
  names.map((name) => ({ kind: 'port' as const, name })),
  names.map((name) => ({ kind: 'stop' as const, name })),
  fc.constantFrom({ kind: 'names' as const }, { kind: 'dump' as const }, { kind: 'kill' as const }),
);

function feed<T>(push: (chunk: Uint8Array) => T | undefined, bytes: Uint8Array): T | undefined {
  let last: T | undefined;
  for (const byte of bytes) last ??= push(Uint8Array.of(byte));
  return last;
}

const isEpmdProtocol = (error: unknown): boolean => EpmuxError.is(error, 'EPMD_PROTOCOL');

describe("epmd's messages", () => {
  it('come out of the parser as they went in, whole or byte by byte, whatever follows', () => {
    fc.assert(
      fc.property(requests, fc.uint8Array({ maxLength: 8 }), (request, more) => {
        const bytes = Buffer.concat([encodeEpmdRequest(request), more]);
        assert.deepEqual(new EpmdRequestParser().push(bytes), request);
        const parser = new EpmdRequestParser();
        assert.deepEqual(
          feed((chunk) => parser.push(chunk), bytes),
          request,
        );
      }),
    );
  });

  it('hold their answers together, whole or byte by byte', () => {
    const check = <T>(newAnswer: () => EpmdAnswer<T>, bytes: Uint8Array, expected: T): void => {
      const slow = newAnswer();
      assert.deepEqual(feed((chunk) => slow.push(chunk), bytes) ?? slow.end(), expected);
      const fast = newAnswer();
      assert.deepEqual(fast.push(bytes) ?? fast.end(), expected);
    };
    fc.assert(
      fc.property(nodes, fc.nat(65_535), (node, creation) => {
        check(portAnswer, encodePortAnswer(node), { node });
        check(portAnswer, encodePortAnswer(undefined), { node: undefined });
        const alive = { result: 0, creation };
        check(aliveAnswer, encodeAliveAnswer(6, alive), alive);
        check(aliveAnswer, encodeAliveAnswer(5, alive), alive);
        const list = { epmdPort: 4369, names: [{ name: node.name, port: node.port }] };
        check(namesAnswer, encodeNamesAnswer(list), list);
      }),
    );
  });

  it('of any bytes are a request, EPMD_PROTOCOL, or not there yet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const parser = new EpmdRequestParser();
        try {
          feed((chunk) => parser.push(chunk), bytes);
        } catch (error) {
          assert.ok(isEpmdProtocol(error));
        }
        for (const answer of [portAnswer(), namesAnswer()]) {
          try {
            answer.push(bytes);
            answer.end();
          } catch (error) {
            assert.ok(isEpmdProtocol(error));
          }
        }
      }),
    );
  });

  it('are refused by their length alone, before their body is kept', () => {
    const tooLong = MAX_EPMD_REQUEST_BYTES + 1;
    for (const head of [Uint8Array.of(0, 0), Uint8Array.of(tooLong >> 8, tooLong & 255)]) {
      assert.throws(() => new EpmdRequestParser().push(head), isEpmdProtocol);
    }
    const endless = namesAnswer();
    endless.push(new Uint8Array(MAX_NAMES_ANSWER_BYTES));
    assert.throws(() => endless.push(Uint8Array.of(0)), isEpmdProtocol);
    const extra = portAnswer();
    const head = Uint8Array.of(119, 0, 0, 1, 77, 0, 0, 6, 0, 5, 255, 255);
    assert.throws(() => extra.push(Buffer.concat([head, Buffer.alloc(5_000)])), isEpmdProtocol);
  });

  it('cut short by the end of the connection are EPMD_PROTOCOL', () => {
    const cut = (bytes: Uint8Array, answer: EpmdAnswer<unknown>): void => {
      answer.push(bytes);
      assert.throws(() => answer.end(), isEpmdProtocol);
    };
    cut(Uint8Array.of(119), portAnswer());
    cut(Uint8Array.of(0, 0, 1), namesAnswer());
  });
});

describe('the real epmd', function () {
  this.timeout(30_000);
  let host: ErlangHost;
  const sockets: Socket[] = [];
  before(async () => {
    host = await ErlangHost.start();
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await host.stop();
  });

  async function ask<T>(request: EpmdRequest, answer: EpmdAnswer<T>): Promise<T> {
    const socket = connect(host.epmdPort, '127.0.0.1');
    sockets.push(socket);
    socket.write(encodeEpmdRequest(request));
    await once(socket, 'connect');
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const taken = answer.push(chunk);
      if (taken !== undefined) return taken;
    }
    return answer.end();
  }

  it('takes a registration of ours, keeps it while we are there, and tells of it', async () => {
    const extra = Uint8Array.of(1, 2, 3);
    const node = { name: 'ours', port: 7, visible: false, highest: 6, lowest: 5, extra };
    const { result, creation } = await ask({ kind: 'alive', node }, aliveAnswer());
    assert.equal(result, 0);
    assert.ok(creation > 0);
    const registration = sockets.at(-1);
    assert.deepEqual(await ask({ kind: 'port', name: 'ours' }, portAnswer()), { node });
    assert.equal((await ask({ kind: 'alive', node }, aliveAnswer())).result, 1);
    assert.deepEqual(await ask({ kind: 'names' }, namesAnswer()), {
      epmdPort: host.epmdPort,
      names: [{ name: 'ours', port: 7 }],
    });
    registration?.destroy();
    assert.ok(registration !== undefined && (await once(registration, 'close')));
  });

  it('is not what greets with a text', () => {
    for (const greeting of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      '220 hi\r\n',
    ]) {
      const answer = namesAnswer();
      answer.push(Buffer.from(greeting));
      assert.throws(() => answer.end(), { code: 'EPMD_PROTOCOL', message: /port of an epmd/ });
    }
  });

  it('tells of real nodes, and of none where there is none', async () => {
    await host.node('shown');
    const shown = await ask({ kind: 'port', name: 'shown' }, portAnswer());
    assert.equal(shown.node?.visible, true);
    assert.equal(shown.node?.highest, 6);
    const none = await ask({ kind: 'port', name: 'nobody' }, portAnswer());
    assert.deepEqual(none, { node: undefined });
  });
});
