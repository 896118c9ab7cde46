import { join } from 'node:path'
import { LineTail } from './line-tail.js'
import { metricOf, sampleOf } from './records.js'
import type { MetricsReply, SampleRow, SamplesReply } from './types.js'

/** Lines of samples that are handed out, the newest. */
const mostSamples = 10_000

/** Lines of a kind as columns of one length, whatever each of them has. */
class ColumnsBuilder {
  readonly #columns = new Map<string, (number | null)[]>([['step', []]])
  #length = 0

  add(step: number, values: Readonly<Record<string, number | null>>): void {
    for (const name of Object.keys(values))
      if (!this.#columns.has(name)) this.#columns.set(name, new Array<null>(this.#length).fill(null))
    for (const [name, column] of this.#columns) column.push(name === 'step' ? step : (values[name] ?? null))
    this.#length++
  }

  build(): MetricsReply['train'] {
    return Object.fromEntries(this.#columns) as unknown as MetricsReply['train']
  }
}

/** All lines of metrics.jsonl, and where events go on behind them. */
export async function metricsOf(dir: string): Promise<MetricsReply> {
  for (;;) {
    const tail = new LineTail(join(dir, 'metrics.jsonl'))
    const [train, evaluation] = [new ColumnsBuilder(), new ColumnsBuilder()]
    let [broken, isWhole, more] = [0, true, true]
    while (more && isWhole) {
      const read = await tail.read((line) => {
        const metric = metricOf(line)
        if (metric === null) broken++
        else (metric.kind === 'train' ? train : evaluation).add(metric.step, metric.values)
      })
      ;[more, isWhole] = [read.more, !read.again]
    }
    if (!isWhole) continue
    const samples = await linesOf(join(dir, 'samples.jsonl'))
    const position = `${tail.file}.${tail.lines}.${samples}`
    return { train: train.build(), evaluation: evaluation.build(), position, broken }
  }
}

async function linesOf(path: string): Promise<number> {
  const tail = new LineTail(path)
  for (let more = true; more;) more = (await tail.read(() => undefined)).more
  return tail.lines
}

/** The newest lines of samples.jsonl. */
export async function samplesOf(dir: string): Promise<SamplesReply> {
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
  const metrics = new LineTail(join(dir, 'metrics.jsonl'))
  for (let more = true; more;) more = (await metrics.read(() => undefined)).more
  return {
    samples,
    position: `${metrics.file}.${metrics.lines}.${tail.lines}`,
    more: count - samples.length,
  }
}
