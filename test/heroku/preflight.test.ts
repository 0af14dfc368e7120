import assert from 'node:assert/strict';
import { addonUrlOf, execWarnings, preflight } from '../../src/heroku/preflight.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { FakePlatform } from './fake-platform.ts';
import { never } from './support.ts';

const space = { name: 'space', shield: false };

describe('the look at an app before Exec is used', () => {
  let platform: FakePlatform;

  beforeEach(() => {
    platform = new FakePlatform();
  });

  const refusal = async (): Promise<EpmuxError> => {
    const error = await preflight(platform, never).then(
      () => assert.fail('nothing was wrong'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    assert.ok(!platform.calls.includes('enableExec') && !platform.calls.includes('restartDynos'));
    return error;
  };

  it('finds nothing wrong with an ordinary app, and asks for no buildpacks', async () => {
    platform.vars = { A: 'b' };
    const { facts } = await preflight(platform, never);
    assert.deepEqual(execWarnings(facts), []);
    assert.deepEqual(facts.configVars, { A: 'b' });
    assert.deepEqual(platform.calls.toSorted(), ['configVars', 'dynos', 'execEnabled', 'info']);
  });

  it('asks for the dynos, too, before anything is answered', async () => {
    platform.looks = [[{ id: 'a', name: 'web.1', type: 'web', state: 'up' }]];
    const asked = preflight(platform, never);
    assert.deepEqual(platform.calls.toSorted(), ['configVars', 'dynos', 'execEnabled', 'info']);
    assert.deepEqual((await asked).dynos, platform.looks[0]);
  });

  it('tells what is wrong with the app, and only else what is wrong with its dynos', async () => {
    platform.failures = { dynos: new EpmuxError('HEROKU_UNAVAILABLE', 'no dynos') };
    platform.enabled = false;
    assert.equal((await refusal()).code, 'EXEC_DISABLED');
    platform.enabled = true;
    assert.equal((await refusal()).code, 'HEROKU_UNAVAILABLE');
  });

  it('drops the question for the dynos where Exec leads nowhere', async () => {
    platform.enabled = false;
    await refusal();
    assert.equal(platform.dynosSignal?.aborted, true);
  });

  it('tells a Fir app at once, with what to use instead, whatever became of the other questions', async () => {
    platform.appInfo = { ...platform.appInfo, generation: 'fir' };
    const missing = new EpmuxError('APP_NOT_FOUND', 'it has no such feature');
    platform.failures = { execEnabled: missing, configVars: missing };
    const error = await refusal();
    assert.equal(error.code, 'EXEC_UNSUPPORTED');
    assert.match(error.message, /Fir/);
    assert.match(error.hint, /heroku run:inside/);
  });

  it('tells first what is wrong with the app itself', async () => {
    const failures = { info: 'HEROKU_FORBIDDEN', execEnabled: 'APP_NOT_FOUND' } as const;
    platform.failures = {
      info: new EpmuxError(failures.info, 'not yours'),
      execEnabled: new EpmuxError(failures.execEnabled, 'no such app'),
    };
    assert.equal((await refusal()).code, failures.info);
  });

  it('asks all at once, and gives up what is not needed any more', async () => {
    const given: AbortSignal[] = [];
    platform.execEnabled = (signal?: AbortSignal) =>
      new Promise((_, reject) => {
        assert.ok(signal);
        given.push(signal);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    platform.failures = { info: new EpmuxError('APP_NOT_FOUND', 'no such app') };
    assert.equal((await refusal()).code, 'APP_NOT_FOUND');
    assert.deepEqual(
      given.map(({ aborted }) => aborted),
      [true],
    );
  });

  it('tells a Shield space, before whatever else is missing', async () => {
    platform.appInfo = { ...platform.appInfo, space: { name: 'vault', shield: true } };
    platform.enabled = false;
    const error = await refusal();
    assert.equal(error.code, 'EXEC_UNSUPPORTED');
    assert.match(error.message, /Shield space vault/);
  });

  it('tells that an app in a space lacks the buildpack, with each command', async () => {
    platform.appInfo = { ...platform.appInfo, space };
    platform.packs = ['https://github.com/hashnuke/heroku-buildpack-elixir'];
    const error = await refusal();
    assert.equal(error.code, 'EXEC_NEEDS_BUILDPACK');
    assert.match(error.hint, /heroku buildpacks:add -i 1 heroku\/exec -a my-app.*git push/);
    assert.doesNotMatch(error.hint, /features:enable/);
    platform.enabled = false;
    assert.match(
      (await refusal()).hint,
      /features:enable runtime-heroku-exec -a my-app.*buildpacks/,
    );
  });

  for (const url of ['urn:buildpack:heroku/exec', 'https://github.com/heroku/exec-buildpack.git']) {
    it(`lets an app in a space pass with ${url}`, async () => {
      platform.appInfo = { ...platform.appInfo, space };
      platform.packs = ['urn:buildpack:heroku/nodejs', url];
      await preflight(platform, never);
    });
  }

  it('warns of the container stack, which needs no buildpack in a space', async () => {
    platform.appInfo = { ...platform.appInfo, stack: 'container', space };
    const { facts } = await preflight(platform, never);
    assert.match(execWarnings(facts).join(), /container image/);
  });

  it('tells that the feature is off, and that enabling restarts ALL dynos', async () => {
    platform.enabled = false;
    const error = await refusal();
    assert.equal(error.code, 'EXEC_DISABLED');
    assert.equal(error.exitCode, 2);
    assert.match(error.hint, /`epmux up -a my-app --yes`.*ALL dynos restart/);
  });

  it('does without the feature where the add-on of old is, and warns of it without its password', async () => {
    platform.enabled = false;
    platform.vars = { HEROKU_EXEC_URL: 'https://user:hush@exec.example.com' };
    const { facts } = await preflight(platform, never);
    assert.equal(addonUrlOf(facts), 'https://user:hush@exec.example.com');
    assert.match(execWarnings(facts).join(), /addons:destroy heroku-exec/);
    assert.doesNotMatch(execWarnings(facts).join(), /hush/);
  });

  it('does without config vars that the key may not read', async () => {
    platform.failures = { configVars: new EpmuxError('HEROKU_FORBIDDEN', 'no') };
    assert.equal((await preflight(platform, never)).facts.configVars, undefined);
    platform.failures = { configVars: new EpmuxError('HEROKU_UNAVAILABLE', 'no') };
    assert.equal((await refusal()).code, 'HEROKU_UNAVAILABLE');
  });
});
