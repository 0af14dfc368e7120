import assert from 'node:assert/strict';
import { encodeHello, type Hello, readAttributes, readHello } from '../../src/protocol/hello.ts';
import { hex } from './collect.ts';

const BOOT = '0002 0010 00112233445566778899aabbccddeeff';

function hello(attributes: string): Hello {
  return {
    bytes: new Uint8Array(0),
    lowestMajor: 1,
    highestMajor: 1,
    minor: 0,
    attributes: hex(attributes),
  };
}

describe('attributes of a hello', () => {
  it('are skipped when they are unknown and optional', () => {
    const peer = readAttributes(hello(`7fff 0003 aabbcc ${BOOT} 0003 0002 6869`), 'agent', 0);
    assert.deepEqual(peer, {
      minor: 0,
      software: '',
      bootId: '00112233445566778899aabbccddeeff',
      hostName: 'hi',
    });
  });

  it('are refused when they are unknown and required', () => {
    const required = hello(`${BOOT} 8001 0000`);
    assert.throws(() => readAttributes(required, 'agent', 0), { code: 'UNSUPPORTED' });
  });

  it('are refused when cut short or given twice', () => {
    for (const bad of ['00', '0001', '0001 0005 61', `${BOOT} ${BOOT}`]) {
      assert.throws(() => readAttributes(hello(bad), 'agent', 0), { code: 'PROTOCOL' }, bad);
    }
  });

  it('are refused by their length where they are too long, before they are there', () => {
    const whole = encodeHello('daemon', new Uint8Array(32), { software: 'x' });
    // What a hello says of itself is its end: type, length and the one letter.
    const head = Buffer.from(whole.subarray(0, whole.length - 5));
    assert.equal(head.readUInt16BE(head.length - 2), 5);
    const long = (bytes: number): Uint8Array => {
      head.writeUInt16BE(bytes, head.length - 2);
      return head;
    };
    assert.equal(readHello(long(1_024), 'daemon'), undefined);
    assert.throws(() => readHello(long(1_025), 'daemon'), {
      code: 'PROTOCOL',
      message: 'a hello with 1025 bytes of attributes',
    });
  });

  it('hold the boot id of an agent', () => {
    assert.throws(() => readAttributes(hello(''), 'agent', 0), { code: 'PROTOCOL' });
    assert.throws(() => readAttributes(hello('0002 0001 aa'), 'agent', 0), { code: 'PROTOCOL' });
    assert.equal(readAttributes(hello(''), 'daemon', 0).bootId, '');
  });

  it('are safe to print', () => {
    const peer = readAttributes(hello('0001 0004 1b5b6d61'), 'daemon', 0);
    assert.equal(peer.software, '?[ma');
  });
});
