/**
 * Mocha's `spec` reporter, which also repeats at the end the tests that were not run, leaves the
 * two figures that .ci/run prints (`PASSED FAILED`) in the file that EPMUX_TEST_SUMMARY names, and
 * fails when what a test left open keeps the process from ending.
 */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const ENDING_MS = 10_000;
const summaryFile = process.env['EPMUX_TEST_SUMMARY'];

const log = Mocha.reporters.Base.consoleLog;

export default class Reporter extends Mocha.reporters.Spec {
  override epilogue(): void {
    super.epilogue();
    const { passes, failures } = this.stats;
    const notRun: string[] = [];
    this.runner.suite.eachTest((test) => {
      if (test.isPending()) notRun.push(test.fullTitle());
    });
    for (const title of notRun) log('  not run: %s', title);
    if (summaryFile) writeFileSync(summaryFile, `${passes} ${failures}\n`);
    const failOnLeak = (): never => {
      log('  left open by a test: %s', process.getActiveResourcesInfo().join(', '));
      // Mocha sets the code of its own at the exit: this comes after it.
      process.on('exit', () => {
        process.exitCode = 1;
      });
      process.exit();
    };
    // Nothing is left to wait for: the tests have let go of all they had. Node's own clean-up
    // behind that was once seen to spin for ever, and has nothing to tell.
    process.once('beforeExit', () => process.exit());
    // Fires only when something else keeps the process.
    setTimeout(failOnLeak, ENDING_MS).unref();
  }
}
