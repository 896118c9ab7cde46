import type { RowReason, RowSummary, RowsReply } from '../../api/types.js'

/** What rows are listed. */
export interface RowFilter {
  readonly text: string
  readonly source: string | null
  readonly reason: RowReason | null
  /** `key:value`. */
  readonly tag: string | null
  readonly span: { readonly from: number; readonly to: number } | null
}

export const noFilter: RowFilter = { text: '', source: null, reason: null, tag: null, span: null }

export const isFiltered = ({ text, ...rest }: RowFilter): boolean =>
  text !== '' || Object.values(rest).some((value) => value !== null)

/** A tag as it is shown: `Lang`. */
export const tagName = (key: string): string => key.charAt(0).toUpperCase() + key.slice(1)

/** Rows of a page. */
export const pageRows = 100

/** Path of a page of rows. */
export function rowsPath(name: string, page: number, { text, source, reason, tag, span }: RowFilter): string {
  const query = new URLSearchParams({ page: String(page), size: String(pageRows) })
  if (text !== '') query.set('filter', text)
  if (source !== null) query.set('source', source)
  if (reason !== null) query.set('reason', reason)
  if (tag !== null) query.set('tag', tag)
  if (span !== null) {
    query.set('from', String(span.from))
    query.set('to', String(span.to))
  }
  return `/api/data/${encodeURIComponent(name)}/rows?${query.toString()}`
}

/** Rows that were read, by their place in the list. */
export class RowCache {
  #pages = new Map<number, readonly RowSummary[]>()
  total: number | null = null

  add(reply: RowsReply): void {
    this.total = reply.total
    this.#pages.set(reply.page, reply.rows)
  }

  at(place: number): RowSummary | null {
    return this.#pages.get(Math.floor(place / pageRows))?.[place % pageRows] ?? null
  }

  /** Pages that rows from `first` to `last` are on and that are not here. */
  missing(first: number, last: number): number[] {
    const pages: number[] = []
    const end = Math.min(last, (this.total ?? 1) - 1)
    for (let page = Math.floor(Math.max(0, first) / pageRows); page <= Math.floor(end / pageRows); page++)
      if (!this.#pages.has(page)) pages.push(page)
    return pages
  }
}

/** Rows of a list that show, with some before and behind. */
export function windowOf(
  scrolled: number,
  height: number,
  rowHeight: number,
  total: number,
): { first: number; last: number } {
  const spare = 8
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - spare)
  const last = Math.min(total - 1, Math.ceil((scrolled + height) / rowHeight) + spare)
  return { first, last }
}
