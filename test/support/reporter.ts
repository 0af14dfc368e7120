/**
 * Mocha's `spec` reporter, which also repeats at the end the tests that were not run, and leaves the two figures that .ci/run prints (`PASSED FAILED`)
 * in the file that EPMUX_TEST_SUMMARY names.
 */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const summaryFile = process.env['EPMUX_TEST_SUMMARY'];

export default class Reporter extends Mocha.reporters.Spec {
  override epilogue(): void {
    super.epilogue();
    const { passes, failures } = this.stats;
    const notRun: string[] = [];
    this.runner.suite.eachTest((test) => {
      if (test.isPending()) notRun.push(test.fullTitle());
    });
    for (const title of notRun) Mocha.reporters.Base.consoleLog('  not run: %s', title);
    if (summaryFile) writeFileSync(summaryFile, `${passes} ${failures}\n`);
  }
}
