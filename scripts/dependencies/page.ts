import { INSTALL_SCRIPTS, WHY } from './known.ts';
import type { LockedPackage, Manifest } from './lock.ts';

const BEGIN = '<!-- from the lock file: npm run licences -->';
const END = '<!-- end -->';

/** The page with its tables as the lock file has them. */
export function withTables(
  page: string,
  manifest: Manifest,
  locked: readonly LockedPackage[],
): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`the page has no place between ${BEGIN} and ${END}`);
  const tables = [
    table(
      'What epmux is built on',
      ['package', 'version', 'licence', 'why'],
      named(manifest.dependencies, locked),
    ),
    table(
      'All that is installed with it',
      ['package', 'version', 'licence', ''],
      locked
        .filter(({ production }) => production)
        .map((one) => [one.name, one.version, one.licence, one.optional ? 'optional' : '']),
    ),
    table(
      'What is needed for work on it alone',
      ['package', 'version', 'licence', 'why'],
      named(manifest.devDependencies, locked),
    ),
    table(
      'Scripts that run at an install',
      ['package', 'run here', 'what it does'],
      locked
        .filter(({ hasInstallScript }) => hasInstallScript)
        .map(({ name }) => [
          name,
          manifest.allowScripts[name] === true ? 'yes' : 'no',
          INSTALL_SCRIPTS[name] ?? '',
        ]),
    ),
  ];
  return `${page.slice(0, from)}${BEGIN}\n\n${tables.join('\n')}\n${page.slice(to)}`;
}

function named(
  names: Readonly<Record<string, string>>,
  locked: readonly LockedPackage[],
): string[][] {
  return Object.keys(names).map((name) => {
    const one = locked.find((each) => each.name === name && each.version === names[name]);
    return [name, one?.version ?? '', one?.licence ?? '', WHY[name] ?? ''];
  });
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return `## ${title}\n\n${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}`;
}
