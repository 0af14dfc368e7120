import assert from 'node:assert/strict';
import { createLineLogger } from '../../src/agent/line-logger.ts';

describe("the agent's log", () => {
  it('is one line a record with its fields behind the message', () => {
    const lines: string[] = [];
    const log = createLineLogger('info', (line) => lines.push(line));
    log.info('a session is attached', {
      session: 'ab',
      streams: 0,
      resumed: true,
      left: undefined,
    });
    assert.deepEqual(lines, [
      'epmux agent: info a session is attached session=ab streams=0 resumed=true\n',
    ]);
  });

  it('does not let a value fake a line or another field', () => {
    const lines: string[] = [];
    const log = createLineLogger('debug', (line) => lines.push(line));
    log.warn('x', { reason: 'a b=c', other: 'one\nepmux agent: error', long: 'y'.repeat(9_999) });
    const [line = ''] = lines;
    assert(
      line.startsWith(
        'epmux agent: warn x reason="a b=c" other="one\\nepmux agent: error" long=yyy',
      ),
    );
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert(line.length < 700);
  });

  it('keeps what is below its level to itself', () => {
    const lines: string[] = [];
    const log = createLineLogger('warn', (line) => lines.push(line));
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    assert.deepEqual(lines, ['epmux agent: warn c\n', 'epmux agent: error d\n']);
  });
});
