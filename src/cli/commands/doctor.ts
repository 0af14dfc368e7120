import { jsonText } from '../../protocol/text.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import type { CheckResult } from '../doctor/check.ts';
import { diagnose } from '../doctor/diagnose.ts';
import { doctorDocument, exitOf, resultLines, summary } from '../doctor/document.ts';
import { WAY_OPTIONS } from '../way/options.ts';

export const doctor = defineCommand({
  name: 'doctor',
  about:
    'Checks the whole way, link by link: this machine, the way, the dyno, its nodes. Says what to do at the first that is broken. Changes nothing.',
  positional: {
    name: 'NAME',
    describe: 'a tunnel that is up or configured; not needed when there is only one',
    complete: 'any-tunnel',
  },
  options: { ...WAY_OPTIONS, json: JSON_OPTION },
  examples: [
    ['doctor', 'the only tunnel, or this machine alone'],
    ['doctor -a my-app -d web.1', 'the way into one dyno'],
    ['doctor --ssh deploy@example.com', 'before the first `up`'],
    ['doctor prod --json', 'for a script'],
  ],
  async run({ options, positional }, io): Promise<number> {
    const isJson = options.json === true;
    const results: CheckResult[] = [];
    const tell = (result: CheckResult): void => {
      results.push(result);
      if (isJson) return;
      for (const line of resultLines(result, io.paintOut)) io.out(line);
    };
    await diagnose({ name: positional, input: options, io, tell });
    if (isJson) io.out(jsonText(doctorDocument(results)));
    else io.talk(summary(results));
    return exitOf(results);
  },
});
