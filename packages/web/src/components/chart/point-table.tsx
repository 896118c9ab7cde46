import { useState } from 'preact/hooks'
import { rowsOf, valueAt, type Line } from './line.js'
import { text } from './text.js'

/** Rows of a page: all at once would be 50,000. */
const pageRows = 200

/** Points of a chart as a table, newest first. */
export function PointTable({
  name,
  lines,
  value,
  xText,
  xName,
  height,
}: {
  readonly name: string
  readonly lines: readonly Line[]
  readonly value: (y: number | null) => string
  readonly xText: (x: number) => string
  readonly xName: string
  readonly height: number
}) {
  const [page, setPage] = useState(0)
  const words = text()
  const rows = rowsOf(lines).reverse()
  const pages = Math.max(1, Math.ceil(rows.length / pageRows))
  const at = Math.min(page, pages - 1)
  const shown = rows.slice(at * pageRows, (at + 1) * pageRows)
  return (
    <div
      class="chart-table"
      style={{ height: `${height}px` }}
      tabIndex={0}
      role="region"
      aria-label={words.tableOf(name)}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">{xName}</th>
            {lines.map(({ key, name: head }) => (
              <th scope="col" key={key}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((x) => (
            <tr key={x}>
              <th scope="row">{xText(x)}</th>
              {lines.map(({ key, points }) => (
                <td key={key}>{value(valueAt(points, x))}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {pages > 1 && (
        <p class="chart-table-pages">
          {words.shown(at * pageRows + 1, at * pageRows + shown.length, rows.length)}
          <button type="button" disabled={at === 0} onClick={() => setPage(at - 1)}>
            {words.later}
          </button>
          <button type="button" disabled={at === pages - 1} onClick={() => setPage(at + 1)}>
            {words.earlier}
          </button>
        </p>
      )}
    </div>
  )
}
