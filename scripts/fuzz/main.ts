/**
 * `npm run fuzz -- [TARGET…] [--minutes N] [--seed S]`: each target for so long, one after the
 * other. Exits with 1 when it found something.
 */
import { parseArgs } from 'node:util';
import { TARGETS } from '../../test/fuzz/targets.ts';
import { SeededRandom } from '../seeded-random.ts';
import { Fuzzer } from './fuzzer.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
if (unknown.length > 0 || !(minutes > 0) || !Number.isInteger(seed)) {
  console.error(`targets: ${TARGETS.map(({ name }) => name).join(' ')}`);
  process.exit(2);
}
const wanted = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
console.log(`seed ${seed}, ${minutes} min a target`);
let found = 0;
for (const target of wanted) {
  const fuzzer = new Fuzzer(target, new SeededRandom(seed));
  const report = fuzzer.fuzz(Date.now() + minutes * 60_000);
  const kept = fuzzer.save();
  const { runs, places, inputs, findings } = report;
  console.log(`${target.name}: ${runs} runs, ${places} places, ${inputs} inputs, ${kept} kept`);
  for (const finding of findings) console.log(`  FOUND ${finding}`);
  found += findings.length;
}
process.exitCode = found === 0 ? 0 : 1;
