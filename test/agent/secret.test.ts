import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSecret } from '../../src/agent/secret.ts';
import { EpmuxError, type ErrorCode } from '../../src/protocol/errors.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';

const SECRET = 'sixteen bytes ok';

describe("the agent's secret", () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-secret-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function file(content: string, mode = 0o600): string {
    const path = join(folder, `secret-${Math.random().toString(36).slice(2)}`);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  function refuses(code: ErrorCode, load: () => unknown): EpmuxError {
    try {
      load();
    } catch (error) {
      assert(error instanceof EpmuxError);
      assert.equal(error.code, code);
      return error;
    }
    return assert.fail('the secret was taken');
  }

  it('comes from EPMUX_SECRET without the white space around it', () => {
    const secret = loadSecret(undefined, { EPMUX_SECRET: ` ${SECRET}\n` }, silentLogger);
    assert.equal(Buffer.from(secret).toString(), SECRET);
  });

  it('comes from the file rather than from the environment', () => {
    const secret = loadSecret(
      file(`${SECRET} of the file\n`),
      { EPMUX_SECRET: SECRET },
      silentLogger,
    );
    assert.equal(Buffer.from(secret).toString(), `${SECRET} of the file`);
  });

  it('is asked for with the way to make one', () => {
    for (const env of [{}, { EPMUX_SECRET: ' ' }]) {
      const error = refuses('SECRET_MISSING', () => loadSecret(undefined, env, silentLogger));
      assert.match(error.hint, /head -c 32 \/dev\/urandom \| base64/);
    }
  });

  it('is refused when it is too short or too long, and never shown', () => {
    const short = refuses('USAGE', () =>
      loadSecret(undefined, { EPMUX_SECRET: '  fifteen bytes !  ' }, silentLogger),
    );
    assert.match(short.message, /15 bytes/);
    assert.doesNotMatch(short.message, /fifteen/);
    refuses('USAGE', () => loadSecret(file('x'.repeat(5_000)), {}, silentLogger));
    refuses('USAGE', () => loadSecret(file('x'.repeat(500_000)), {}, silentLogger));
  });

  it('is missed when the file is', () => {
    const error = refuses('SECRET_MISSING', () =>
      loadSecret(join(folder, 'none'), { EPMUX_SECRET: SECRET }, silentLogger),
    );
    assert.match(error.message, /ENOENT/);
    refuses('SECRET_MISSING', () => loadSecret(folder, {}, silentLogger));
  });

  it('warns when others may read the file', () => {
    const warned: string[] = [];
    const log: Logger = { ...silentLogger, warn: (message) => warned.push(message) };
    loadSecret(file(SECRET, 0o600), {}, log);
    assert.deepEqual(warned, []);
    loadSecret(file(SECRET, 0o640), {}, log);
    assert.equal(warned.length, 1);
    assert.match(warned[0] ?? '', /chmod 600/);
  });
});
