type Cell = string | number | null

const cellText = (cell: Cell) =>
  String(cell ?? '')
    .replaceAll('|', '\\|')
    .replace(/\s*\n\s*/g, ' ')

const line = (cells: readonly Cell[]) => `| ${cells.map(cellText).join(' | ')} |`

/** A table in Markdown, as a model is shown it. */
export const tableText = (header: readonly Cell[], rows: readonly (readonly Cell[])[]): string =>
  [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
