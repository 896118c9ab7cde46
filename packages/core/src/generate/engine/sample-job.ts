import type { Tokenizer } from '../../contract/tokenizer.js'
import type { ConstraintState } from '../../contract/constraint.js'
import type { FinishReason, TokenLogProb } from '../../contract/generate.js'
import { AnswerWriter } from '../answer-writer.js'
import type { Choice } from '../choose.js'
import { Random } from '../random.js'
import type { DecodeSettings } from '../settings.js'
import type { Answer } from './answer.js'
import { Job, type JobOrder } from './job.js'

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
  readonly ids: number[]
  readonly promptTokens: number
  readonly settings: DecodeSettings
  readonly random: Random
  readonly ends: ReadonlySet<number>
  readonly constraint: ConstraintState | null
  readonly #writer: AnswerWriter
  readonly #answer: Answer
  readonly #logprobs: TokenLogProb[] = []

  constructor(
    order: JobOrder,
    prompt: ArrayLike<number>,
    { tokenizer, ends, stops, settings, stream, answer, constraint }: AnswerParts,
  ) {
    super(order)
    this.ids = Array.from(prompt)
    this.promptTokens = prompt.length
    this.settings = settings
    this.random = new Random(settings.seed, stream)
    this.ends = ends
    this.constraint = constraint
    this.#answer = answer
    this.#writer = new AnswerWriter(tokenizer, stops, (text) => {
      answer.push(text)
    })
  }

  beginning(): readonly number[] {
    return this.ids
  }

  /** Takes the token that was chosen; when it is the last, what gives the answer to who asked. */
  async take(id: number, logprob: TokenLogProb | null): Promise<(() => void) | null> {
    if (this.ends.has(id)) return this.#finish('eos')
    this.constraint?.accept(id)
    this.ids.push(id)
    this.lines[0]?.ids.push(id)
    if (logprob) this.#logprobs.push(logprob)
    if (await this.#writer.push(id)) return this.#finish('stop')
    if (this.constraint?.ended) return this.#finish('eos')
    const isFull = this.ids.length - this.promptTokens >= this.settings.maxNewTokens
    return isFull ? this.#finish('length') : null
  }

  async #finish(finish: FinishReason): Promise<() => void> {
    const { promptTokens, settings } = this
    const text = await this.#writer.end()
    const ids = Int32Array.from(this.ids.slice(promptTokens))
    const logprobs = settings.logprobs === null ? {} : { logprobs: this.#logprobs }
    return () => {
      this.#answer.finish({ text, ids, finish, promptTokens, ...logprobs })
    }
  }

  fail(error: unknown): void {
    this.#answer.fail(error)
  }
}
