import { setMaxListeners } from 'node:events'
import { IftError } from '@ift/tensor'
import type { AdapterChoice } from '../../contract/adapters.js'
import type { ConstraintState } from '../../contract/constraint.js'
import type { GenerateOptions } from '../../contract/generate.js'
import type { Tokenizer } from '../../contract/tokenizer.js'
import { saidVirtual } from '../../data/virtual-tokens.js'
import { choose } from '../choose.js'
import type { DecoderPages } from '../decoder.js'
import { wantsNext, type Fed, type Wanted } from '../feeds.js'
import { decodeSettings, type LogitsTap } from '../settings.js'
import { Answer } from './answer.js'
import { BeamJob } from './beam-job.js'
import type { EngineDecoder, Job, JobOrder } from './job.js'
import { engineLimits, type EngineLimits } from './limits.js'
import { SampleJob } from './sample-job.js'
import { Scheduler, type Share } from './scheduler.js'
import { ScoreJob, type ScoredText } from './score-job.js'

export interface EngineParts {
  readonly decoder: EngineDecoder
  readonly tokenizer: Tokenizer
  /** Ids that end an answer: the tokenizer's end token and what generation_config.json adds. */
  readonly ends: ReadonlySet<number>
  /** Stop texts of the prompt template. */
  readonly stop: readonly string[]
  /** Positions that prompt and answer may take behind the virtual tokens of an adapter; null when nothing limits them. */
  readonly room: (adapter: AdapterChoice) => {
    readonly positions: number | null
    readonly virtualTokens: number
  }
  /** Processes scores last. */
  readonly tap: LogitsTap | null
}

export interface EngineOptions extends Partial<EngineLimits> {
  /**
   * Keep what answers began with while there is nothing to do, for requests to come. Only where the weights do not change meanwhile; while
   * there are requests it is kept for the others in any case.
   */
  readonly keepPrefixes?: boolean
}

/** What all requests say. */
export interface RequestOptions {
  /** The higher goes first; 0 when omitted. */
  readonly priority?: number
  /**
   * Who asks, for the cache: a prompt goes on from beginnings of requests with the same salt only, so that nobody can find out by times what
   * those with another one ask. '' when omitted.
   */
  readonly cacheSalt?: string
  /** Milliseconds from now after which the request ends with IFT_GENERATE_DEADLINE. */
  readonly timeout?: number
  /** Ends the request with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface AnswerOptions extends RequestOptions {
  /** Stream of the random numbers of the seed: equal requests of different streams have different answers. 0 when omitted. */
  readonly stream?: number
  /** An answer to the same prompt: this one begins when that has read it, and goes on from there. */
  readonly behind?: Answer | undefined
  /** What the answer is held to, at its beginning; it is the answer's own. */
  readonly constraint?: ConstraintState | null
}

export interface ScoreOptions extends RequestOptions {
  readonly adapter?: AdapterChoice | undefined
}

/** Gives an answer to who asked, when there is one. */
type Deliver = (() => void) | null

/** What an engine has to do now. */
export interface EngineLoad {
  /** Requests that are being served, and that wait for room. */
  readonly running: number
  readonly waiting: number
  /** Sequences at a time at most. */
  readonly most: number
  /** Times that a request gave its pages back to one that ranks higher. */
  readonly preemptions: number
  readonly pages: DecoderPages
}

/**
 * Serves requests together: a step feeds the model a token of every answer under way and pieces of the prompts of others. Each request has
 * its own settings, adapter, priority and end; an error in one ends that one.
 */
export class Engine {
  readonly #parts: EngineParts
  readonly limits: EngineLimits
  readonly #scheduler: Scheduler
  readonly #keepPrefixes: boolean
  readonly #cancelled = new Map<Job, unknown>()
  /** What is undone when a job has ended: listeners and timers. */
  readonly #endings = new Map<Job, () => void>()
  /** Jobs that wait for another one to have read their prompt, by its id. */
  readonly #behind = new Map<number, Job[]>()
  #nextId = 0
  #loop: Promise<void> | null = null
  /** The step under way, or the last one. */
  #stepping: Promise<boolean> = Promise.resolve(false)
  /** What runs between steps, one after the other, and how much of it there is. */
  #between: Promise<unknown> = Promise.resolve()
  #interruptions = 0
  /** Adapters that are about to go, and who is told when no request uses them. */
  readonly #leaving = new Map<string, () => void>()
  #closed = false

  constructor(parts: EngineParts, { keepPrefixes = false, ...limits }: EngineOptions = {}) {
    const { decoder } = parts
    this.#parts = parts
    this.limits = engineLimits(decoder.backend.device.kind, limits)
    this.#scheduler = new Scheduler(decoder, this.limits, (job, error) => {
      this.#end(job, true, error)
    })
    this.#keepPrefixes = keepPrefixes
  }

  /** Whether it has nothing to do. */
  get idle(): boolean {
    return this.#loop === null
  }

  get load(): EngineLoad {
    const { running, waiting, preemptions } = this.#scheduler
    return {
      ...{ running: running.length, waiting: waiting.length + this.#held, preemptions },
      most: this.limits.maxSequences,
      pages: this.#parts.decoder.pages,
    }
  }

  get #held(): number {
    return [...this.#behind.values()].reduce((sum, jobs) => sum + jobs.length, 0)
  }

  /**
   * Continues a prompt. Throws what is wrong with the request at once: IFT_GENERATE_OPTION, IFT_GENERATE_EMPTY, IFT_SEQUENCE_TOO_LONG,
   * IFT_GENERATE_ROOM, IFT_ADAPTER_NAME.
   */
  submit(prompt: ArrayLike<number>, options: GenerateOptions, request: AnswerOptions = {}): Answer {
    this.check(prompt, options)
    const { tokenizer, room } = this.#parts
    const asked = decodeSettings(options)
    const [ends, stop] = asked.ignoreEnds
      ? [new Set(asked.stopIds), []]
      : [new Set([...this.#parts.ends, ...asked.stopIds]), this.#parts.stop]
    const order = this.#order(options.adapter, request)
    const left = (room(order.adapter).positions ?? Infinity) - prompt.length
    const settings = { ...asked, maxNewTokens: Math.min(asked.maxNewTokens, left) }
    const answer = new Answer(order.id, (reason) => {
      this.#cancel(job, reason ?? new DOMException('The request was cancelled.', 'AbortError'))
    })
    const parts = {
      ...{ tokenizer, ends, settings, answer, stream: request.stream ?? 0 },
      constraint: request.constraint ?? null,
      stops: [...stop, ...settings.stop],
    }
    const job =
      settings.numBeams === 1 ? new SampleJob(order, prompt, parts) : new BeamJob(order, prompt, parts)
    this.#enter(job, request, request.behind?.id)
    return answer
  }

  /** log p(id | before) of every token in nats, null for the first. Throws as `submit`. */
  score(ids: ArrayLike<number>, options: ScoreOptions = {}): Promise<(number | null)[]> {
    if (ids.length === 0) return Promise.resolve([])
    return this.scoreAll([{ ids, from: 1 }], options).then(([scores]) => [null, ...scores!])
  }

  /**
   * log p(id | before) in nats of every text's tokens from a position on. What the texts begin with is read once: those that differ in their
   * last token alone take one pass together, and the others go on from what the first of them has left. Throws as `submit`.
   */
  scoreAll(texts: readonly ScoredText[], { adapter, ...request }: ScoreOptions = {}): Promise<number[][]> {
    const order = this.#order(adapter, request)
    const { positions, virtualTokens } = this.#parts.room(order.adapter)
    /** Texts by what they begin with, and where they are scored from. */
    const groups = new Map<string, { readonly texts: number[]; readonly fed: readonly number[] }>()
    for (const [i, { ids, from }] of texts.entries()) {
      if (from < 1)
        throw new IftError(
          'IFT_ARGUMENT',
          `score expected positions of 1 or more, found ${from}: the first token has nothing before it.`,
        )
      if (positions !== null && ids.length > positions)
        throw new IftError(
          'IFT_SEQUENCE_TOO_LONG',
          `The text has ${ids.length} tokens; the model's limit is ${positions}${saidVirtual(virtualTokens, ' behind ')}.`,
          'Score it in pieces.',
        )
      if (from >= ids.length) continue
      this.#requireRoom(ids.length - 1, 0, 1, virtualTokens)
      const fed = Array.from(ids).slice(0, -1)
      const key = `${from} ${fed.join(' ')}`
      const group = groups.get(key)
      if (group) group.texts.push(i)
      else groups.set(key, { texts: [i], fed })
    }
    const found: number[][] = texts.map(() => [])
    let first: number | undefined
    const results: Promise<void>[] = []
    for (const { texts: of, fed } of groups.values()) {
      const lasts = of.map((i) => texts[i]!.ids[fed.length]!)
      const job = new ScoreJob(this.#order(order.adapter, request), fed, texts[of[0]!]!.from, lasts)
      this.#enter(job, request, first)
      first ??= job.id
      const take = (scores: number[][]) => {
        for (const [k, i] of of.entries()) found[i] = scores[k]!
      }
      results.push(job.result.then(take))
    }
    return Promise.all(results).then(() => found)
  }

  /** Throws what `submit` would throw because of the prompt or its options. */
  check(prompt: ArrayLike<number>, options: GenerateOptions): void {
    const { maxNewTokens, numBeams } = decodeSettings(options)
    const count = prompt.length
    if (count === 0)
      throw new IftError(
        'IFT_GENERATE_EMPTY',
        'The prompt has no tokens.',
        'Give at least one character or bos.',
      )
    const { positions, virtualTokens } = this.#parts.room(this.#adapter(options.adapter))
    if (positions !== null && count >= positions)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `The prompt has ${count} tokens; the model's limit is ${positions} with the answer${saidVirtual(virtualTokens, ', behind ')}.`,
        `Shorten it to ${positions - Math.min(maxNewTokens, positions - 1)} tokens or fewer.`,
      )
    this.#requireRoom(count, Math.min(maxNewTokens, (positions ?? Infinity) - count), numBeams, virtualTokens)
  }

  /** IFT_GENERATE_ROOM where all pages together are too few. */
  #requireRoom(prompt: number, more: number, beams: number, virtualTokens: number): void {
    const { size, most } = this.#parts.decoder.pages
    const shared = Math.floor((virtualTokens + prompt) / size)
    const each = Math.ceil((virtualTokens + prompt + more) / size) - shared
    // Virtual tokens stand in the cache once more, and forks hold their last pages twice for a moment.
    const needed = shared + beams * (each + (beams > 1 ? 1 : 0)) + 2 * Math.ceil(virtualTokens / size)
    if (needed > most)
      throw new IftError(
        'IFT_GENERATE_ROOM',
        `A prompt of ${prompt} tokens with ${more} more${beams > 1 ? ` in ${beams} beams` : ''} takes ${needed} pages of ${size} tokens; the cache has ${most}.`,
        'Ask for fewer tokens (maxNewTokens), shorten the prompt, or allow the cache more pages.',
      )
  }

  /**
   * Runs `work` while no step is under way, and lets none begin until it has ended: it may change what steps are computed with, as far as
   * requests that are there do not notice. Requests are taken meanwhile.
   */
  between<T>(work: () => Promise<T>): Promise<T> {
    this.#interruptions++
    const turn = this.#between
      .then(() => this.#stepping.catch(() => undefined))
      .then(work)
      .finally(() => {
        this.#interruptions--
      })
    this.#between = turn.catch(() => undefined)
    return turn
  }

  /**
   * Runs `work` between two steps, when no request uses the adapter any more; none may name it from now on (IFT_ADAPTER_NAME).
   */
  async without<T>(adapter: string, work: () => Promise<T>): Promise<T> {
    if (this.#leaving.has(adapter)) throw leaving(adapter)
    try {
      await new Promise<void>((resolve) => {
        this.#leaving.set(adapter, resolve)
        this.#tellUnused(adapter)
      })
      return await this.between(() => {
        // Its virtual tokens are kept from one request to the next.
        this.#scheduler.rest([adapter])
        return work()
      })
    } finally {
      this.#leaving.delete(adapter)
    }
  }

  #tellUnused(adapter: AdapterChoice): void {
    const told = adapter === null ? undefined : this.#leaving.get(adapter)
    if (told && ![...this.#endings.keys()].some((job) => job.adapter === adapter)) told()
  }

  /** IFT_ADAPTER_NAME for one that is not loaded. */
  #adapter(name: AdapterChoice | undefined): AdapterChoice {
    const { decoder } = this.#parts
    const adapter = name === undefined ? (decoder.adapters?.active ?? null) : name
    decoder.checkAdapter(adapter)
    if (adapter !== null && this.#leaving.has(adapter)) throw leaving(adapter)
    return adapter
  }

  #order(adapter: AdapterChoice | undefined, { priority = 0, cacheSalt = '' }: RequestOptions): JobOrder {
    if (this.#closed) throw closed()
    const { decoder } = this.#parts
    return {
      ...{ id: this.#nextId++, priority, isWhole: decoder.model.promptOf !== undefined },
      ...{ adapter: this.#adapter(adapter), salt: cacheSalt },
    }
  }

  /** `behind`: id of the job that reads the prompt of this one. */
  #enter(job: Job, { signal, timeout }: RequestOptions, behind?: number): void {
    const abort = () => {
      this.#cancel(job, signal!.reason)
    }
    const late = () => {
      const error = new IftError(
        'IFT_GENERATE_DEADLINE',
        `The request was not done after ${timeout} ms.`,
        'Give it more time (timeout), or ask for fewer tokens.',
      )
      this.#cancel(job, error)
    }
    if (signal) {
      // Any number of requests may end by one signal.
      setMaxListeners(0, signal)
      signal.addEventListener('abort', abort, { once: true })
    }
    const timer = timeout === undefined ? undefined : setTimeout(late, timeout)
    this.#endings.set(job, () => {
      signal?.removeEventListener('abort', abort)
      clearTimeout(timer)
    })
    const others = behind === undefined ? undefined : this.#behind.get(behind)
    if (others) others.push(job)
    else {
      this.#scheduler.add(job)
      this.#behind.set(job.id, [])
    }
    if (signal?.aborted) abort()
    this.#loop ??= this.#run()
  }

  /** The prompt of a job has been read, or will not be: those that waited for that begin. */
  #followed(job: Job): void {
    for (const other of this.#behind.get(job.id) ?? [])
      if (this.#endings.has(other)) this.#scheduler.add(other)
    this.#behind.delete(job.id)
  }

  /** Ends a job before the next step: what is under way in this one is the others' too. */
  #cancel(job: Job, reason: unknown): void {
    if (!this.#endings.has(job)) return
    this.#cancelled.set(job, reason)
  }

  /** Takes steps while there is something to do. */
  async #run(): Promise<void> {
    // What is submitted together begins together.
    await Promise.resolve()
    try {
      for (;;) {
        while (this.#interruptions > 0) await this.#between
        this.#stepping = this.#step()
        if (!(await this.#stepping)) break
        // Others have their turn, also where reading takes no time.
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      this.#scheduler.rest()
      if (!this.#keepPrefixes) this.#parts.decoder.forgetPrefixes()
      // Who was told of the end of the last step may have asked for more before the loop has ended.
      this.#loop = this.#scheduler.waiting.length > 0 ? this.#run() : null
    }
  }

  /** One step; false when there is nothing more to do. */
  async #step(): Promise<boolean> {
    for (const [job, reason] of this.#cancelled) this.#end(job, true, reason)
    this.#cancelled.clear()
    const shares = this.#scheduler.plan()
    if (shares.length === 0) return this.#scheduler.waiting.length > 0
    let fed: Fed | null = null
    try {
      for (const { job } of shares) job.steps()
      const wanted = shares.map(({ job, line, tokens }) => job.wanted(line, tokens))
      fed = this.#parts.decoder.pass(
        shares.map(({ line: { sequence, ids, fed }, tokens }, i) => ({
          ...{ sequence, ids: ids.slice(fed, fed + tokens), wanted: wanted[i]! },
        })),
      )
      for (const { line, tokens } of shares) line.fed += tokens
      await this.#take(shares, wanted, fed)
    } catch (error) {
      // Of a pass that failed nobody has anything.
      for (const job of new Set(shares.map(({ job }) => job))) this.#end(job, true, error)
    } finally {
      fed?.release()
    }
    return this.#scheduler.running.length + this.#scheduler.waiting.length > 0
  }

  /** Gives jobs what a step has found. */
  async #take(shares: readonly Share[], wanted: readonly Wanted[], fed: Fed): Promise<void> {
    const { decoder, tap } = this.#parts
    const rows = new Map<Job, number[]>()
    let next = 0
    for (const [i, { job }] of shares.entries())
      if (wantsNext({ wanted: wanted[i]! })) rows.set(job, [...(rows.get(job) ?? []), next++])
    const samples = [...rows.keys()].filter((job) => job instanceof SampleJob)
    const chosen = fed.scores
      ? await choose(
          fed.scores,
          samples.map((choice) => ({ choice, row: rows.get(choice)![0]! })),
          tap,
        )
      : []
    const logProbs = await fed.logProbs()
    const scored = shares.flatMap(({ job }, i) => (typeof wanted[i] === 'object' ? [job] : []))
    for (const [i, job] of scored.entries()) if (job instanceof SampleJob) job.takePrompt(logProbs[i]!)
    const done = async (job: Job, take: () => Deliver | Promise<Deliver>) => {
      try {
        const deliver = await take()
        if (!deliver) return
        this.#end(job)
        deliver()
      } catch (error) {
        this.#end(job, true, error)
      }
    }
    await Promise.all(
      samples.map((job, i) =>
        done(job, () => {
          const found = chosen[i]!
          if ('error' in found) throw found.error
          if (job.isNew) {
            if (!job.isWhole) decoder.share(job.lines[0]!.sequence, job.ids)
            this.#followed(job)
          }
          return job.take(found.id, found.logprob)
        }),
      ),
    )
    for (const [i, job] of scored.entries())
      if (job instanceof ScoreJob) await done(job, () => job.take(logProbs[i]!.logProbs))
    for (const [job, at] of rows)
      if (job instanceof BeamJob)
        await done(job, async () => {
          const read: Float32Array[] = []
          for (const row of at) read.push(await fed.scores!.row(row))
          return job.take(read, decoder, tap)
        })
  }

  /** Takes a job out; with an error it has failed. */
  #end(job: Job, failed = false, error?: unknown): void {
    this.#endings.get(job)?.()
    this.#endings.delete(job)
    this.#cancelled.delete(job)
    job.release(this.#parts.decoder, true)
    this.#scheduler.remove(job)
    this.#followed(job)
    for (const others of this.#behind.values())
      if (others.includes(job)) others.splice(others.indexOf(job), 1)
    if (failed) job.fail(error)
    this.#tellUnused(job.adapter)
  }

  /** Ends all requests with IFT_ENGINE_CLOSED; there are no more. The decoder is its owner's. */
  async close(): Promise<void> {
    this.#closed = true
    const { running, waiting } = this.#scheduler
    for (const job of [...running, ...waiting, ...[...this.#behind.values()].flat()])
      this.#cancel(job, closed())
    await this.#loop
  }
}

const leaving = (adapter: string) =>
  new IftError('IFT_ADAPTER_NAME', `The adapter "${adapter}" is being taken off.`)

const closed = () => new IftError('IFT_ENGINE_CLOSED', 'The generator was closed.')
