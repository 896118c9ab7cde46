import type { Tokenizer } from '../../contract/tokenizer.js'
import type { ConstraintState } from '../../contract/constraint.js'
import type { FinishReason, Generation, TokenLogProb } from '../../contract/generate.js'
import { AnswerWriter } from '../answer-writer.js'
import type { Choice } from '../choose.js'
import { Random } from '../random.js'
import type { DecodeSettings } from '../settings.js'
import type { Answer } from './answer.js'
import type { FedLogProbs, Wanted } from '../feeds.js'
import { Job, type JobOrder, type Line } from './job.js'

/** What an answer is made with. */
export interface AnswerParts {
  readonly tokenizer: Tokenizer
  /** Ids that end an answer. */
  readonly ends: ReadonlySet<number>
  /** Texts that end it, those of its settings included. */
  readonly stops: readonly string[]
  readonly settings: DecodeSettings
  /** Stream of the seed. */
  readonly stream: number
  /** What the answer is held to. */
  readonly constraint: ConstraintState | null
  readonly answer: Answer
}

/** A prompt that is continued token by token. */
export class SampleJob extends Job implements Choice {
  override readonly reusable: number
  readonly ids: number[]
  readonly promptTokens: number
  readonly settings: DecodeSettings
  readonly random: Random
  readonly ends: ReadonlySet<number>
  readonly constraint: ConstraintState | null
  readonly #writer: AnswerWriter
  readonly #answer: Answer
  readonly #logprobs: TokenLogProb[] = []
  /** Of the prompt as far as it was read. */
  readonly #promptLogprobs: (TokenLogProb | null)[] = [null]
  /** Tokens that the pieces so far have told of. */
  #told = 0

  constructor(
    order: JobOrder,
    prompt: ArrayLike<number>,
    { tokenizer, ends, stops, settings, stream, answer, constraint }: AnswerParts,
  ) {
    super(order)
    this.ids = Array.from(prompt)
    this.promptTokens = prompt.length
    this.settings = settings
    this.reusable = settings.promptLogprobs === null ? Infinity : 0
    this.random = new Random(settings.seed, stream)
    this.ends = ends
    this.constraint = constraint
    this.#answer = answer
    this.#writer = new AnswerWriter(tokenizer, stops, (text) => {
      this.#tell(text)
    })
  }

  /** Whether nothing was chosen so far. */
  get isNew(): boolean {
    return this.ids.length === this.promptTokens
  }

  beginning(): readonly number[] {
    if (this.#promptLogprobs.length < this.promptTokens) this.#promptLogprobs.length = 1
    return this.ids
  }

  override wanted(line: Line, tokens: number): Wanted {
    const { promptLogprobs: top } = this.settings
    if (top === null || this.#promptLogprobs.length === this.promptTokens) return super.wanted(line, tokens)
    const end = line.fed + tokens
    const ids = this.ids.slice(line.fed + 1, end + 1)
    return { ids, top, next: end === line.ids.length }
  }

  override steps(): void {
    this.#answer.begun ??= performance.now()
  }

  /** Takes log-probabilities of the prompt, in their order. */
  takePrompt({ logProbs, top }: FedLogProbs): void {
    for (const [i, logprob] of logProbs.entries()) {
      const id = this.ids[this.#promptLogprobs.length]!
      this.#promptLogprobs.push({ id, logprob, top: top[i]! })
    }
  }

  /** Takes the token that was chosen; when it is the last, what gives the answer to who asked. */
  async take(id: number, logprob: TokenLogProb | null): Promise<(() => void) | null> {
    this.#answer.times.push(performance.now())
    if (this.ends.has(id)) return this.#finish('eos', { id, logprob })
    this.constraint?.accept(id)
    this.ids.push(id)
    this.lines[0]?.ids.push(id)
    if (logprob) this.#logprobs.push(logprob)
    if (await this.#writer.push(id)) return this.#finish('stop')
    if (this.constraint?.ended) return this.#finish('eos')
    const isFull = this.ids.length - this.promptTokens >= this.settings.maxNewTokens
    return isFull ? this.#finish('length') : null
  }

  /** Text that has become certain, with the tokens that nothing was said of. */
  #tell(text: string): void {
    const from = this.#told
    this.#told = this.ids.length - this.promptTokens
    this.#answer.push({
      text,
      ids: this.ids.slice(this.promptTokens + from),
      logprobs: this.#logprobs.slice(from),
    })
  }

  async #finish(finish: FinishReason, end?: Generation['end']): Promise<() => void> {
    const { promptTokens, settings, cached: cachedTokens } = this
    const text = await this.#writer.end()
    const { stopText } = this.#writer
    if (this.#told < this.ids.length - promptTokens) this.#tell('')
    const ids = Int32Array.from(this.ids.slice(promptTokens))
    const logprobs = settings.logprobs === null ? {} : { logprobs: this.#logprobs }
    return () => {
      this.#answer.finish({
        ...{ text, ids, finish, promptTokens, cachedTokens, ...logprobs },
        ...(settings.promptLogprobs !== null && { promptLogprobs: this.#promptLogprobs }),
        ...(end && { end }),
        ...(stopText !== null && { stopText }),
      })
    }
  }

  fail(error: unknown): void {
    this.#answer.fail(error)
  }
}
