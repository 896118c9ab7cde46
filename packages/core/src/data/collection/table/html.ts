import { cellOf, rowsOf, type Cell } from './cells.js'
import { cutRows, type TableLimit, type TableText } from './cut.js'
import { Extent } from './extent.js'

export interface HtmlOptions {
  /** Rows at the top whose cells are all headers; 1 when omitted. */
  readonly header?: number
  readonly limit?: TableLimit
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replace(/\r?\n/g, '<br>')

function written({ text, rowSpan, colSpan, header }: Cell, isHeader: boolean): string {
  const tag = isHeader || header ? 'th' : 'td'
  const spans = `${rowSpan > 1 ? ` rowspan="${rowSpan}"` : ''}${colSpan > 1 ? ` colspan="${colSpan}"` : ''}`
  return `<${tag}${spans}>${escaped(text)}</${tag}>`
}

/**
 * A table in HTML, a row a line; merged cells have `rowspan` and `colspan`. Null for a table of more than 1,048,576 cells or 16,777,216
 * characters.
 */
export function tableHtml(rows: unknown, { header = 1, limit = {} }: HtmlOptions = {}): TableText | null {
  const extent = new Extent()
  const cells = rowsOf(rows).map((row) => row.map(cellOf))
  if (!cells.every((row) => row.every(({ text }) => extent.takes(text)))) return null
  const lines = cells.map((row, i) => `<tr>${row.map((one) => written(one, i < header)).join('')}</tr>`)
  const [top, body] = [lines.slice(0, header), lines.slice(header)]
  const frame = ['<table>', ...top, '</table>'].join('\n')
  const kept = cutRows(body, limit, frame.length)
  return { text: ['<table>', ...top, ...kept, '</table>'].join('\n'), omitted: body.length - kept.length }
}
