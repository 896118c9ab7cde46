import { join } from 'node:path'
import { LineTail } from './line-tail.js'
import { RunColumns } from './metric-columns.js'
import { metricOf, sampleOf } from './records.js'
import type { RunProgress } from './run-progress.js'
import type { SampleRow, SamplesReply } from './types.js'

/** Lines of samples that are handed out, the newest. */
const mostSamples = 10_000

/** All lines of metrics.jsonl, and where events go on behind them. */
export interface Metrics {
  readonly columns: RunColumns
  readonly position: string
  readonly broken: number
}

/** What was read of a run by now, where its columns are kept, else all lines anew. */
export async function metricsOf(dir: string, progress: RunProgress): Promise<Metrics> {
  await progress.read()
  const samples = await linesOf(join(dir, 'samples.jsonl'))
  const { columns, broken, position } = progress
  if (columns !== null) return { columns, broken, position: `${position}.${samples}` }
  return readMetrics(dir, samples)
}

async function readMetrics(dir: string, samples: number): Promise<Metrics> {
  for (;;) {
    const tail = new LineTail(join(dir, 'metrics.jsonl'))
    const columns = new RunColumns()
    let [broken, isWhole, more] = [0, true, true]
    while (more && isWhole) {
      const read = await tail.read((line) => {
        const metric = metricOf(line)
        if (metric === null) broken++
        else (metric.kind === 'train' ? columns.train : columns.evaluation).add(metric.step, metric.values)
      })
      ;[more, isWhole] = [read.more, !read.again]
    }
    if (isWhole) return { columns, broken, position: `${tail.file}.${tail.lines}.${samples}` }
  }
}

async function linesOf(path: string): Promise<number> {
  const tail = new LineTail(path)
  for (let more = true; more;) more = (await tail.read(() => undefined)).more
  return tail.lines
}

/** The newest lines of samples.jsonl. */
export async function samplesOf(dir: string, progress: RunProgress): Promise<SamplesReply> {
  const tail = new LineTail(join(dir, 'samples.jsonl'))
  let samples: SampleRow[] = []
  let count = 0
  for (let more = true; more;) {
    const read = await tail.read((line) => {
      const sample = sampleOf(line)
      if (sample === null) return
      count++
      samples.push(sample)
    })
    if (read.again) [samples, count] = [[], 0]
    if (samples.length > 2 * mostSamples) samples = samples.slice(-mostSamples)
    more = read.more
  }
  samples = samples.slice(-mostSamples)
  await progress.read()
  return {
    samples,
    position: `${progress.position}.${tail.lines}`,
    more: count - samples.length,
  }
}
