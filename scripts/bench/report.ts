import type { Bar } from './bars.ts';
import type { Figure } from './stats.ts';
import type { Column, SuiteResult } from './suite.ts';

export interface Report {
  readonly date: string;
  readonly cores: number;
  readonly processor: string;
  readonly node: string;
  /** Of the machine over the last minute, before and after. */
  readonly load: readonly [number, number];
  readonly quick: boolean;
  readonly suites: readonly SuiteResult[];
  readonly bars: readonly Bar[];
}

const QUICK =
  'Of programs that have only just begun: in their first seconds all are slower, and not alike. The bars are meant for a whole run.';

/** For a person, in Markdown. */
export function tables(report: Report): string {
  const { date, cores, processor, node, load, quick } = report;
  const loads = load.map((value) => value.toFixed(1)).join(' and ');
  const head = [
    `${date}, ${cores} cores (${processor}), Node ${node}${quick ? ', `--quick`' : ''}; load before and after ${loads}.`,
    'Medians of alternating rounds; in brackets the lowest and the highest.',
    ...(quick ? [QUICK] : []),
  ];
  return [head.join('\n'), ...report.suites.map(suiteTable), barTable(report.bars)].join('\n\n');
}

function suiteTable({ title, columns, ways }: SuiteResult): string {
  const measured = columns.filter(({ key }) => ways.some(({ figures }) => figures[key]));
  const lines = [
    `## ${title}`,
    '',
    row(['way', ...measured.map((column) => column.title)]),
    row(['---', ...measured.map(() => '---')]),
    ...ways
      .filter(({ figures }) => Object.keys(figures).length > 0)
      .map(({ title: name, figures }) =>
        row([name, ...measured.map((column) => cell(column, figures[column.key]))]),
      ),
  ];
  const absent = ways.flatMap(({ title: name, absent: why }) =>
    why === undefined ? [] : [`- not measured: ${name} (${why})`],
  );
  return [...lines, ...(absent.length > 0 ? ['', ...absent] : [])].join('\n');
}

function cell({ digits }: Column, figure: Figure | undefined): string {
  if (figure === undefined) return '–';
  const show = (value: number): string => value.toFixed(digits);
  const { median, low, high, samples } = figure;
  return samples.length > 1 ? `${show(median)} (${show(low)}–${show(high)})` : show(median);
}

function barTable(bars: readonly Bar[]): string {
  const measured = bars.filter(({ outcome }) => outcome !== 'not measured');
  const left = bars.length - measured.length;
  return [
    '## Bars',
    '',
    row(['figure', 'bar', 'measured', '']),
    row(['---', '---', '---', '---']),
    ...measured.map(({ title, bar, measured: value, outcome }) =>
      row([title, bar, value, outcome]),
    ),
    ...(left > 0
      ? ['', `${left} more are of suites or ways that this run left out, or that broke.`]
      : []),
  ].join('\n');
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/**
 * Where epmux itself could not be measured, and why: nothing of it may be absent from a machine.
 */
export function ownFailures(suites: readonly SuiteResult[]): string[] {
  return suites.flatMap(({ key: suite, ways }) =>
    ways.flatMap(({ key, absent }) =>
      absent !== undefined && key.startsWith('epmux') ? [`${suite}, ${key}: ${absent}`] : [],
    ),
  );
}
