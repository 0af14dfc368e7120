import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { fileError, systemCode, systemError } from '../../src/runtime/system-error.ts';

function refusal(code: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code });
}

describe("the system's own code", () => {
  it('is told of an error that has one', () => {
    assert.equal(systemCode(refusal('ENOENT')), 'ENOENT');
    assert.equal(systemCode(new Error('mine')), undefined);
    assert.equal(systemCode('ENOENT'), undefined);
    assert.equal(systemCode(undefined), undefined);
  });
});

describe('a failed file', () => {
  it('has a code of ours', () => {
    assert.equal(fileError(refusal('ENOSPC'), '/f').code, 'DISK_FULL');
    assert.equal(fileError(refusal('EDQUOT'), '/f').code, 'DISK_FULL');
    assert.equal(fileError(refusal('EROFS'), '/f').code, 'PERMISSION_DENIED');
    assert.equal(fileError(refusal('EISDIR'), '/f').code, 'INTERNAL');
    for (const code of ['EEXIST', 'ENOTDIR']) {
      const { code: ours, hint } = fileError(refusal(code), '/f');
      assert.equal(ours, 'CONFIG_INVALID');
      assert.match(hint, /^a folder is needed there/);
    }
  });

  it('is named, with the reason and the cause', () => {
    const cause = refusal('EACCES');
    const error = fileError(cause, '/f');
    assert.equal(error.message, '/f: EACCES: refused');
    assert.equal(error.cause, cause);
  });

  it('keeps an error of ours', () => {
    const ours = new EpmuxError('BUSY', 'full');
    assert.equal(fileError(ours, '/f'), ours);
  });
});

describe('what the system refused', () => {
  it('has the words that it is given', () => {
    assert.equal(systemError(refusal('EPERM'), 'not yours').message, 'not yours');
  });
});
