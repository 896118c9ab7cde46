import { IftError } from '@ift/tensor'
import type { AdapterChoice } from '../../contract/adapters.js'
import { byRank, unfed, type EngineDecoder, type Job, type Line } from './job.js'
import type { EngineLimits } from './limits.js'

/** Tokens of a line that a step feeds. */
export interface Share {
  readonly job: Job
  readonly line: Line
  readonly tokens: number
}

type Growth = readonly [sequence: number, tokens: number]

/**
 * Which tokens go into the next step (as vLLM's scheduler has it: no phases, a budget of tokens, Kwon et al. 2023, arXiv:2309.06180).
 * Jobs that are being continued come first, with one token a line; what is left of the budget goes to prompts, in pieces. A job begins
 * when there are pages for its whole prompt. Where pages run out, the job that ranks last gives its own back and begins again later.
 */
export class Scheduler {
  readonly #decoder: EngineDecoder
  readonly #limits: EngineLimits
  /** In the order of rank. */
  readonly #running: Job[] = []
  readonly #waiting: Job[] = []
  readonly #fail: (job: Job, error: unknown) => void
  /** Sequences without tokens, which keep the virtual tokens of a method in the cache from one job to the next. */
  readonly #anchors = new Map<AdapterChoice, number>()
  /** Jobs that have been running. */
  readonly #begun = new WeakSet<Job>()
  #preemptions = 0

  /** `fail` ends a job that cannot begin. */
  constructor(decoder: EngineDecoder, limits: EngineLimits, fail: (job: Job, error: unknown) => void) {
    this.#decoder = decoder
    this.#limits = limits
    this.#fail = fail
  }

  get running(): readonly Job[] {
    return this.#running
  }

  get waiting(): readonly Job[] {
    return this.#waiting
  }

  /** Times that a job gave its pages back. */
  get preemptions(): number {
    return this.#preemptions
  }

  add(job: Job): void {
    insert(this.#waiting, job)
  }

  remove(job: Job): void {
    for (const list of [this.#running, this.#waiting]) {
      const at = list.indexOf(job)
      if (at >= 0) list.splice(at, 1)
    }
  }

  /** Ends what is kept in the cache for jobs to come: of all adapters, or of one. */
  rest(adapters: readonly AdapterChoice[] = [...this.#anchors.keys()]): void {
    for (const adapter of adapters) {
      const sequence = this.#anchors.get(adapter)
      if (sequence !== undefined) this.#decoder.remove(sequence)
      this.#anchors.delete(adapter)
    }
  }

  /** The next step; empty when nothing is to be done. Jobs for which there is never room are ended. */
  plan(): Share[] {
    for (;;) {
      const shares = this.#plan()
      if (shares.length > 0 || this.#running.length === 0) return shares
      // All of them wait for pages that they hold themselves.
      this.#preempt(this.#running.at(-1)!)
    }
  }

  #plan(): Share[] {
    const shares: Share[] = []
    const { size } = this.#decoder.pages
    let budget = this.#limits.tokensPerStep
    let aside = 0
    const before = this.#preemptions
    const hasRoom = (growth: readonly Growth[], more: number) =>
      this.#decoder.hasRoom(
        this.#decoder.pagesFor([
          ...shares.map(({ line, tokens }) => [line.sequence, tokens] as const),
          ...growth,
        ]) +
          aside +
          more,
      )
    const take = (job: Job, line: Line, tokens: number) => {
      shares.push({ job, line, tokens })
      budget -= tokens
    }
    const takePrompt = (job: Job) => {
      const line = job.lines[0]!
      const left = unfed(line)
      const tokens = job.isWhole || left <= budget ? left : budget - (budget % size)
      if (budget <= 0 || tokens === 0 || !hasRoom([[line.sequence, tokens]], job.pagesAside)) return
      take(job, line, tokens)
      aside += job.pagesAside
    }

    for (const job of [...this.#running]) {
      if (!isContinued(job)) continue
      const growth = job.lines.map((line) => [line.sequence, 1] as const)
      while (this.#running.includes(job) && !hasRoom(growth, job.pagesAside))
        this.#preempt(this.#running.at(-1)!)
      if (!this.#running.includes(job)) continue
      for (const line of job.lines) take(job, line, 1)
      aside += job.pagesAside
    }
    // The more sequences, the longer their own part of the step: a longer piece then makes no more of a difference.
    if (shares.length > 0)
      budget = Math.min(budget, Math.max(this.#limits.promptTokensPerStep, 4 * shares.length))
    // Prompts go on, however many sequences are continued.
    budget = Math.max(budget, size)
    const fed = new Set(shares.map(({ job }) => job))
    for (const job of this.#running) if (!fed.has(job)) takePrompt(job)
    // What had to make room waits for the next step.
    while (this.#waiting.length > 0 && budget > 0 && this.#preemptions === before) {
      const job = this.#waiting[0]!
      const width = this.#running.reduce((sum, one) => sum + one.width, 0)
      if (this.#running.length > 0 && width + job.width > this.#limits.maxSequences) break
      if (!this.#begin(job)) break
      takePrompt(job)
    }
    return shares
  }

  /** Puts a job into the cache, if there is room for its prompt beside those of the others. */
  #begin(job: Job): boolean {
    const decoder = this.#decoder
    try {
      if (!this.#anchors.has(job.adapter)) this.#anchors.set(job.adapter, decoder.add(job.adapter))
      const ids = [...job.beginning()]
      const { sequence, tokens } = decoder.begin(ids.slice(0, job.reusable), job.adapter, job.salt)
      if (!this.#begun.has(job)) job.cached = tokens
      job.lines.push({ sequence, ids, fed: tokens })
      const growth = [...this.#running, job].flatMap(({ lines }) =>
        lines.map((line) => [line.sequence, unfed(line) + 1] as const),
      )
      const aside = [...this.#running, job].reduce((sum, { pagesAside }) => sum + pagesAside, 0)
      const isAlone = this.#running.length === 0
      if (decoder.hasRoom(decoder.pagesFor(growth) + aside)) {
        this.#waiting.shift()
        insert(this.#running, job)
        this.#begun.add(job)
        return true
      }
      job.release(decoder, false)
      if (!isAlone) return false
      const { most, size } = decoder.pages
      throw new IftError(
        'IFT_GENERATE_ROOM',
        `A prompt of ${ids.length} tokens needs ${Math.ceil((ids.length + 1) / size)} pages of the cache and there are ${most}.`,
        'Shorten it, or allow the cache more pages.',
      )
    } catch (error) {
      this.#fail(job, error)
      return this.#waiting.length > 0 && this.#begin(this.#waiting[0]!)
    }
  }

  #preempt(job: Job): void {
    this.#preemptions++
    // Its pages are kept as a prefix, as long as nobody needs them.
    job.release(this.#decoder, true)
    this.remove(job)
    insert(this.#waiting, job)
  }
}

/** Whether every line of a job has one token to be fed. */
const isContinued = ({ lines }: Job): boolean => lines.every((line) => unfed(line) === 1)

function insert(jobs: Job[], job: Job): void {
  const at = jobs.findIndex((other) => byRank(job, other) < 0)
  jobs.splice(at < 0 ? jobs.length : at, 0, job)
}
