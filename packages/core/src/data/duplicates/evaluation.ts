import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import type { LocatedExample } from '../build.js'
import type { OverlapOptions } from './options.js'
import { Places } from './places.js'
import { QuestionIndex, type Overlap } from './question-index.js'
import { comparedTexts, normalTexts, separator } from './texts.js'

/** A set of questions that training must not see. */
export class Evaluation {
  readonly #index: QuestionIndex
  readonly #places = new Places()
  #sha256 = ''

  private constructor(
    readonly name: string,
    options: OverlapOptions,
  ) {
    this.#index = new QuestionIndex(options)
  }

  /** Reads all questions. IFT_DATA_EMPTY when there is none: nothing would be found, whatever the training data holds. */
  static async read(
    name: string,
    examples: AsyncIterable<LocatedExample>,
    options: OverlapOptions,
  ): Promise<Evaluation> {
    const evaluation = new Evaluation(name, options)
    const hash = createHash('sha256')
    let records = 0
    for await (const { example, where } of examples) {
      records++
      const texts = comparedTexts(example)
      if (!texts) continue
      const { asked } = normalTexts(texts)
      if (!evaluation.#index.add(evaluation.#places.count, asked)) continue
      evaluation.#places.add(where)
      hash.update([where, ...asked, ''].join(separator))
    }
    evaluation.#sha256 = hash.digest('hex')
    if (evaluation.questions > 0) return evaluation
    throw new IftError(
      'IFT_DATA_EMPTY',
      `decontaminate: ${name} has no question to compare with: ${records} records were read, and none has a text that a user says.`,
      'Name the file or the split that holds the questions, or say what its columns are: { path: …, columns: { instruction: … } }.',
    )
  }

  get questions(): number {
    return this.#index.records
  }

  /** Hash of the questions and of where they stand. */
  get sha256(): string {
    return this.#sha256
  }

  /** The first of the normalised texts that shares something with a question; null for none. */
  find(texts: readonly string[]): Overlap | null {
    for (const text of texts) {
      const overlap = this.#index.find(text)
      if (overlap) return overlap
    }
    return null
  }

  /** Where a record stands, `file:line`. */
  placeOf(record: number): string {
    return this.#places.at(record)
  }
}
