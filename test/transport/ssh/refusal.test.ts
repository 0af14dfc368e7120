import assert from 'node:assert/strict';
import { refusal } from '../../../src/transport/ssh/refusal.ts';

describe('a channel that an SSH server does not open', () => {
  const told = (reason: number | undefined) => {
    const error = refusal(
      Object.assign(new Error('its words'), { reason }),
      'port 1',
      'AGENT_MISSING',
    );
    assert.equal((error.cause as Error).message, 'its words');
    assert.equal(error.details?.['refused'], reason === 2 ? 'port' : undefined);
    return error.code;
  };

  it('means what its reason says', () => {
    assert.deepEqual([1, 2, 3, 4].map(told), [
      'CONNECT_FAILED',
      'AGENT_MISSING',
      'CONNECT_FAILED',
      'BUSY',
    ]);
  });

  it('is a lost connection where there is no reason', () => {
    assert.equal(told(undefined), 'PIPE_LOST');
  });
});
