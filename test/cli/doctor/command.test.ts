import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliHome } from '../../support/cli.ts';

describe('epmux doctor --command', function () {
  this.timeout(30_000);
  let home: CliHome;
  before(async () => {
    home = await CliHome.make();
  });
  after(() => home.remove());

  it('runs the command where the daemon does, and without our secrets', async () => {
    const cwd = join(home.folder, 'project');
    mkdirSync(cwd);
    const env = { EPMUX_SECRET: 'a secret of sixteen', EPMUX_COOKIE: 'monster', OTHER: 'kept' };
    const options = { cwd, env };
    const run = await home.run(['doctor', '--command', 'pwd > seen; env >> seen; exit 3'], options);
    assert.match(run.stdout, /COMMAND_FAILED|ended with code 3/);
    const [folder, ...variables] = readFileSync(join(home.folder, 'seen'), 'utf8').split('\n');
    assert.equal(folder, home.folder);
    assert.ok(variables.includes('OTHER=kept'));
    assert.deepEqual(
      variables.filter((line) => /^EPMUX_(SECRET|COOKIE)=/.test(line)),
      [],
    );
  });
});
