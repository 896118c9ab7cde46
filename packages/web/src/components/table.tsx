import './table.css'
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { bestOf, sorted, type Sort } from './table-order.js'

const text = words({ en: { best: 'best' }, zh: { best: '最佳' } })

export interface Column<Row> {
  readonly key: string
  readonly head: ComponentChildren
  /** Numbers at the right. */
  readonly align?: 'left' | 'right'
  readonly cell: (row: Row) => ComponentChildren
  /** What it is sorted by; not sortable when absent. */
  readonly sort?: (row: Row) => number | string | null
  /** The best value is set off: only where all rows can be compared. */
  readonly best?: 'low' | 'high'
  readonly width?: string
}

export interface TableProps<Row> {
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string
  readonly sort?: Sort | null
  readonly onSort?: (sort: Sort) => void
  readonly selectedKey?: string | null
  readonly onOpen?: (row: Row) => void
  readonly rowClass?: (row: Row) => string | undefined
  /** Height of a row, for tables of many rows, which are drawn by window. */
  readonly rowHeight?: number
}

/** Rows drawn at once without a window. */
const most = 200

export function Table<Row>(props: TableProps<Row>) {
  const {
    label,
    columns,
    rows,
    rowKey,
    sort = null,
    onSort,
    selectedKey,
    onOpen,
    rowClass,
    rowHeight = 32,
  } = props
  const by = columns.find(({ key }) => key === sort?.key)?.sort
  const ordered = by && sort ? sorted(rows, by, sort.down) : rows
  const best = new Map(
    columns.flatMap(({ key, best: way, sort: value }) =>
      way && value ? [[key, bestOf(rows, value, way)]] : [],
    ),
  )
  const frame = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ first: 0, count: most })
  const isWindow = ordered.length > most
  useLayoutEffect(() => {
    const own = frame.current
    if (!own || !isWindow) return
    const look = () => {
      const first = Math.max(0, Math.floor(own.scrollTop / rowHeight) - 20)
      setSeen({ first, count: Math.ceil(own.clientHeight / rowHeight) + 40 })
    }
    look()
    own.addEventListener('scroll', look, { passive: true })
    return () => own.removeEventListener('scroll', look)
  }, [isWindow, rowHeight])
  const first = isWindow ? Math.min(seen.first, Math.max(0, ordered.length - seen.count)) : 0
  const drawn = isWindow ? ordered.slice(first, first + seen.count) : ordered
  const below = ordered.length - first - drawn.length
  return (
    <div ref={frame} class="table-frame" tabIndex={0} role="region" aria-label={label}>
      <table class="table" aria-rowcount={isWindow ? ordered.length : undefined}>
        <thead>
          <tr>
            {columns.map(({ key, head, align, sort: value, width }) => (
              <th
                key={key}
                scope="col"
                class={align === 'right' ? 'table-right' : undefined}
                style={width === undefined ? undefined : { width }}
                aria-sort={sort?.key === key ? (sort.down ? 'descending' : 'ascending') : undefined}
              >
                {value && onSort ? (
                  <button
                    type="button"
                    class="table-sort"
                    onClick={() => onSort({ key, down: sort?.key === key ? !sort.down : true })}
                  >
                    {head}
                    {sort?.key === key && (sort.down ? ' ↓' : ' ↑')}
                  </button>
                ) : (
                  head
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" style={{ height: `${first * rowHeight}px` }} />}
          {drawn.map((row, i) => {
            const key = rowKey(row)
            return (
              <tr
                key={key}
                class={`${onOpen ? 'table-open' : ''} ${rowClass?.(row) ?? ''}`}
                aria-rowindex={isWindow ? first + i + 2 : undefined}
                aria-current={key === selectedKey ? true : undefined}
                onClick={(event) => {
                  if (!(event.target as Element).closest('a, button, label, input')) onOpen?.(row)
                }}
              >
                {columns.map(({ key: name, cell, align, sort: value }) => {
                  const isBest = best.has(name) && value?.(row) !== null && value?.(row) === best.get(name)
                  return (
                    <td
                      key={name}
                      class={`${align === 'right' ? 'table-right' : ''}${isBest ? ' table-best' : ''}`}
                    >
                      {isBest && <span class="table-best-word">{text().best} </span>}
                      {cell(row)}
                    </td>
                  )
                })}
              </tr>
            )
          })}
          {below > 0 && <tr aria-hidden="true" style={{ height: `${below * rowHeight}px` }} />}
        </tbody>
      </table>
    </div>
  )
}
