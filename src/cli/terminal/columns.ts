import { stripVTControlCharacters } from 'node:util';

const GAP = '  ';

/**
 * Lines whose cells stand under each other, two spaces apart, without trailing blanks. Colour does
 * not count as width.
 */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join(GAP)
      .trimEnd(),
  );
}

function widthOf(cell: string): number {
  return [...stripVTControlCharacters(cell)].length;
}
