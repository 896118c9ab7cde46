import { problemOf, reach, type RequestOptions } from './client.js'
import type { MetricsBytes } from './types.js'

/** Numbers of lines by column, NaN where a line has none. */
export type NumberColumns = Readonly<Record<string, Float64Array>>

export interface Metrics {
  readonly train: NumberColumns
  readonly evaluation: NumberColumns
  readonly position: string
  readonly broken: number
}

/** All lines of a run's metrics, as numbers: 50,000 steps as JSON take the server and the page longer than the eye waits. Throws `ApiError`. */
export async function readMetrics(id: string, { signal }: RequestOptions = {}): Promise<Metrics> {
  const response = await reach(`/api/runs/${encodeURIComponent(id)}/metrics`, {
    headers: { accept: 'application/octet-stream' },
    ...(signal && { signal }),
  })
  if (!response.ok) throw await problemOf(response)
  return metricsOf(await response.arrayBuffer())
}

/** What `MetricsBytes` describes. */
export function metricsOf(bytes: ArrayBuffer): Metrics {
  let at = new DataView(bytes).getUint32(0, true)
  const { train, evaluation, ...facts } = JSON.parse(
    new TextDecoder().decode(new Uint8Array(bytes, 4, at - 4)),
  ) as MetricsBytes
  const columns = ({ names, length }: MetricsBytes['train']): NumberColumns =>
    Object.fromEntries(
      names.map((name) => {
        const column = new Float64Array(bytes, at, length)
        at += column.byteLength
        return [name, column]
      }),
    )
  return { ...facts, train: columns(train), evaluation: columns(evaluation) }
}
