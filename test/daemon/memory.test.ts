import assert from 'node:assert/strict';
import {
  MAX_MEMORY_BYTES,
  memoryText,
  readMemory,
  secretsIn,
  type TunnelMemory,
} from '../../src/daemon/memory.ts';

const PROD: TunnelMemory = {
  name: 'prod',
  secrets: { cookie: 'the cookie', herokuToken: 'the token', sshAuthSock: '/run/agent' },
  links: [
    { id: '', sessions: ['0f'.repeat(16)] },
    { id: 'web.1/a', pushed: { port: 4_000, secret: 'of the agent', node: 'v20.19.0' } },
  ],
};

describe('what is handed from one worker to the next', () => {
  it('arrives as it was', () => {
    assert.deepEqual(readMemory(memoryText([PROD])), [PROD]);
    assert.deepEqual(readMemory(memoryText([])), []);
  });

  it('is nothing when it was cut short, or is something else', () => {
    const text = memoryText([PROD]);
    const wrong = ['', text.slice(0, -1), '{}', '[{"name":"../x","secrets":{},"links":[]}]'];
    for (const given of wrong) assert.deepEqual(readMemory(given), []);
    const session = { ...PROD, links: [{ id: '', sessions: ['no id'] }] };
    assert.deepEqual(readMemory(memoryText([session])), []);
  });

  it('is each tunnel for itself: one that is wrong or too large takes no other with it', () => {
    const pushed = { port: 4_000, secret: 's', node: 'v'.repeat(256) };
    const wrong = { ...PROD, name: 'wrong', links: [{ id: 'web.1/b', pushed }] };
    const large = { ...PROD, name: 'large', secrets: { secret: 'x'.repeat(MAX_MEMORY_BYTES) } };
    const text = memoryText([wrong, large, PROD]);
    assert.deepEqual(readMemory(text), [PROD]);
    assert.deepEqual(secretsIn(text), ['the cookie', 'the token', 'of the agent']);
  });

  it('is kept within a bound, tunnel by tunnel', () => {
    const many = Array.from({ length: 400 }, (_, n) => ({
      ...PROD,
      name: `t${n}`,
      secrets: { secret: 'x'.repeat(4_096) },
    }));
    const text = memoryText(many);
    assert.ok(Buffer.byteLength(text) <= MAX_MEMORY_BYTES);
    const read = readMemory(text);
    assert.ok(read.length > 100 && read.length < 400);
    assert.deepEqual(read[0], many[0]);
  });

  it('is a tunnel’s secrets also where it has more links than fit', () => {
    const links = Array.from({ length: 10_000 }, (_, n) => ({
      id: `web.${n}/a`,
      sessions: ['0f'.repeat(16)],
    }));
    assert.deepEqual(readMemory(memoryText([{ ...PROD, links }])), [{ ...PROD, links: [] }]);
  });

  it('names the secrets in it, for whoever has to hide them', () => {
    assert.deepEqual(secretsIn(memoryText([PROD])), ['the cookie', 'the token', 'of the agent']);
  });
});
