import { repeatMerged } from './cells.js'
import { cutRows, type TableLimit, type TableText } from './cut.js'

export interface MarkdownOptions {
  /** Whether the first row has the names of the columns (default). Without one the header is empty. */
  readonly header?: boolean
  readonly limit?: TableLimit
}

const escaped = (text: string) =>
  text
    .trim()
    .replace(/\s+/g, (white) => (/[\r\n]/.test(white) ? ' ' : white))
    .replaceAll('|', '\\|')
const line = (texts: readonly string[]) => `| ${texts.map(escaped).join(' | ')} |`

/**
 * A table in GitHub's Markdown: `| a | b |`, `| --- | --- |`, a row a line; merged cells are repeated. A pipe in a cell is `\|`, a
 * line break a space. Null for a table that `repeatMerged` finds too large.
 */
export function tableMarkdown(
  rows: unknown,
  { header = true, limit = {} }: MarkdownOptions = {},
): TableText | null {
  const grid = repeatMerged(rows)
  if (!grid) return null
  const width = grid[0]?.length ?? 0
  if (width === 0) return { text: '', omitted: 0 }
  const names = header ? grid[0]! : Array.from({ length: width }, () => '')
  const body = (header ? grid.slice(1) : grid).map(line)
  const top = `${line(names)}\n${line(names.map(() => '---'))}`
  const kept = cutRows(body, limit, top.length)
  return { text: [top, ...kept].join('\n'), omitted: body.length - kept.length }
}
