import { metricOf, type Metric } from './records.js'
import { LineTail } from './line-tail.js'
import { RunColumns } from './metric-columns.js'

/** Steps that the time left is told from. */
const recent = 20
/** Evaluations that are kept. */
const mostEvals = 1000

interface Mark {
  readonly step: number
  readonly elapsed: number
}

/** What the lines of metrics.jsonl say of a run, read as they are added: sums, newest values, and columns as long as there is room for them. */
export class RunProgress {
  readonly #tail: LineTail
  #marks: Mark[] = []
  #timed = 0
  #timedTokens = 0
  #columns: RunColumns | null = new RunColumns()
  #reading: Promise<void> = Promise.resolve()
  /** Lines that could not be read. */
  broken = 0
  step = 0
  loss: number | null = null
  lastEval: { readonly step: number; readonly loss: number } | null = null
  bestEval: { readonly step: number; readonly loss: number } | null = null
  /** Validation losses by step, the newest. */
  readonly evalLosses = new Map<number, number>()
  memory: number | null = null
  peakMemory: number | null = null
  tokens = 0
  trainedTokens = 0
  elapsed: number | null = null

  constructor(path: string) {
    this.#tail = new LineTail(path)
  }

  /** Whether there is a line. */
  get isBegun(): boolean {
    return this.#tail.lines > 0
  }

  /** Over the steps whose time was written. */
  get tokensPerSecond(): number | null {
    return this.#timed > 0 ? this.#timedTokens / this.#timed : null
  }

  /** Seconds of the steps that are left, evaluations included; null before the third. */
  secondsLeft(total: number): number | null {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)]
    if (!first || !last || this.#marks.length < 3 || last.step === first.step) return null
    return ((last.elapsed - first.elapsed) / (last.step - first.step)) * Math.max(0, total - last.step)
  }

  /** File and lines that were read: what a position begins with. */
  get position(): string {
    return `${this.#tail.file}.${this.#tail.lines}`
  }

  /** All lines; null once they were dropped. */
  get columns(): RunColumns | null {
    return this.#columns
  }

  /** Keeps sums and newest values alone from now on. */
  dropColumns(): void {
    this.#columns = null
  }

  /** Reads what was added. Several callers read one after the other: each line counts once. */
  read(): Promise<void> {
    this.#reading = this.#reading.catch(() => undefined).then(() => this.#readOn())
    return this.#reading
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const { again, more } = await this.#tail.read((line) => {
        const metric = metricOf(line)
        if (metric) this.#add(metric)
        else this.broken++
      })
      if (again) this.#reset()
      else if (!more) return
    }
  }

  #reset(): void {
    ;[this.step, this.tokens, this.trainedTokens, this.#timed, this.#timedTokens] = [0, 0, 0, 0, 0]
    this.loss = this.lastEval = this.bestEval = this.memory = this.peakMemory = this.elapsed = null
    this.#marks = []
    this.evalLosses.clear()
    this.broken = 0
    if (this.#columns !== null) this.#columns = new RunColumns()
  }

  #add({ kind, step, values }: Metric): void {
    const { loss = null } = values
    if (this.#columns !== null)
      (kind === 'eval' ? this.#columns.evaluation : this.#columns.train).add(step, values)
    if (kind === 'eval') {
      if (loss === null) return
      this.lastEval = { step, loss }
      this.evalLosses.set(step, loss)
      if (this.evalLosses.size > mostEvals) this.evalLosses.delete(this.evalLosses.keys().next().value!)
      if (this.bestEval === null || loss < this.bestEval.loss) this.bestEval = this.lastEval
      return
    }
    this.step = step
    this.loss = loss
    const { tokens = null, trainedTokens = null, tokensPerSecond = null, seconds = null } = values
    this.tokens += tokens ?? 0
    this.trainedTokens += trainedTokens ?? 0
    this.memory = values['memory'] ?? this.memory
    this.peakMemory = Math.max(values['peakMemory'] ?? 0, this.peakMemory ?? 0) || null
    const took = seconds ?? (tokens !== null && tokensPerSecond !== null ? tokens / tokensPerSecond : null)
    if (took !== null && tokens !== null) {
      this.#timed += took
      this.#timedTokens += tokens
    }
    const { elapsed = null } = values
    // Older versions did not write it.
    this.elapsed = elapsed ?? this.#timed
    if (elapsed !== null) this.#marks.push({ step, elapsed })
    if (this.#marks.length > recent + 1) this.#marks.shift()
  }
}
