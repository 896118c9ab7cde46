import { cellOf, rowsOf } from './cells.js'
import { cutRows, type TableLimit, type TableText } from './cut.js'

export interface HtmlOptions {
  /** Rows at the top whose cells are all headers; 1 when omitted. */
  readonly header?: number
  readonly limit?: TableLimit
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replace(/\r?\n/g, '<br>')

function cell(value: unknown, isHeader: boolean): string {
  const { text, rowSpan, colSpan, header } = cellOf(value)
  const tag = isHeader || header ? 'th' : 'td'
  const spans = `${rowSpan > 1 ? ` rowspan="${rowSpan}"` : ''}${colSpan > 1 ? ` colspan="${colSpan}"` : ''}`
  return `<${tag}${spans}>${escaped(text)}</${tag}>`
}

/** A table in HTML, a row a line; merged cells have `rowspan` and `colspan`. */
export function tableHtml(rows: unknown, { header = 1, limit = {} }: HtmlOptions = {}): TableText {
  const lines = rowsOf(rows).map(
    (row, i) => `<tr>${row.map((value) => cell(value, i < header)).join('')}</tr>`,
  )
  const [top, body] = [lines.slice(0, header), lines.slice(header)]
  const frame = ['<table>', ...top, '</table>'].join('\n')
  const kept = cutRows(body, limit, frame.length)
  return { text: ['<table>', ...top, ...kept, '</table>'].join('\n'), omitted: body.length - kept.length }
}
