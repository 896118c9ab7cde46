import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { getJson } from '../../api/client.js'
import { readMetrics } from '../../api/metrics.js'
import type { RunReply, RunRow } from '../../api/types.js'
import { MetricColumns } from '../run/columns.js'
import { isLive } from './state.js'

/** What is drawn of a selected run. */
export interface Curve {
  readonly train: MetricColumns
  readonly evaluation: MetricColumns
  readonly detail: RunReply
  /** Step of the list when it was read: a newer one reads it again. */
  readonly step: number | null
  readonly state: RunRow['state']
}

/** Curves of runs, by id. */
export const curves = signal<ReadonlyMap<string, Curve>>(new Map())

const reading = new Set<string>()

/** Training runs are read again this often. */
const every = 4000
const readAt = new Map<string, number>()

async function read(run: RunRow): Promise<void> {
  if (reading.has(run.id)) return
  reading.add(run.id)
  readAt.set(run.id, Date.now())
  const path = `/api/runs/${encodeURIComponent(run.id)}`
  try {
    const [metrics, detail] = await Promise.all([readMetrics(run.id), getJson<RunReply>(path)])
    const curve: Curve = {
      train: new MetricColumns(metrics.train),
      evaluation: new MetricColumns(metrics.evaluation),
      ...{ detail, step: run.step, state: run.state },
    }
    curves.value = new Map([...curves.value, [run.id, curve]])
  } catch {
    // A run that is gone or cannot be read has no curve; its row says why.
  } finally {
    reading.delete(run.id)
  }
}

/** Reads the curves of selected runs, and of those that train again. */
export function useCurves(chosen: readonly RunRow[]): ReadonlyMap<string, Curve> {
  useEffect(() => {
    for (const run of chosen) {
      const known = curves.value.get(run.id)
      const isOld = known === undefined || known.step !== run.step || known.state !== run.state
      const waits = known !== undefined && isLive(run) && Date.now() - (readAt.get(run.id) ?? 0) < every
      if (isOld && !waits) void read(run)
    }
  })
  return curves.value
}
