import type { MetricLine } from '../../api/types.js'

/** Lines of one kind (steps, evaluations) by column, growing while a run is watched. NaN where a line has no value. */
export class MetricColumns {
  readonly step: number[]
  readonly #values = new Map<string, number[]>()

  constructor({ step = [], ...columns }: Readonly<Record<string, ArrayLike<number>>> = {}) {
    this.step = Array.from(step)
    for (const [name, values] of Object.entries(columns)) this.#values.set(name, Array.from(values))
  }

  get length(): number {
    return this.step.length
  }

  /** Adds a line. One of a step that is there already, as after a reconnection, takes its place. */
  append({ step, values }: MetricLine): void {
    const newest = this.step.at(-1) ?? -Infinity
    if (step < newest) return
    const index = step === newest ? this.step.length - 1 : this.step.length
    this.step[index] = step
    for (const [name, value] of Object.entries(values)) {
      if (name === 'step') continue
      let column = this.#values.get(name)
      if (column === undefined) {
        column = new Array<number>(index).fill(Number.NaN)
        this.#values.set(name, column)
      }
      while (column.length < index) column.push(Number.NaN)
      column[index] = value ?? Number.NaN
    }
  }

  /** Values of a column, one for each line; all NaN where there is none of the name. */
  column(name: string): readonly number[] {
    const column = this.#values.get(name)
    if (column === undefined) return new Array<number>(this.step.length).fill(Number.NaN)
    while (column.length < this.step.length) column.push(Number.NaN)
    return column
  }

  has(name: string): boolean {
    return this.#values.get(name)?.some((value) => Number.isFinite(value)) === true
  }

  newest(name: string): number | null {
    const value = this.#values.get(name)?.[this.step.length - 1]
    return value === undefined || Number.isNaN(value) ? null : value
  }
}
