import { IftError } from '@ift/tensor'
import type { LocatedExample } from '../build.js'
import { excerpt } from '../read/record.js'
import { Clusters } from './clusters.js'
import { DigestTable, digestOf } from './digest-table.js'
import type { Evaluation } from './evaluation.js'
import type { ContaminationAction, Examination, Finding } from './examination.js'
import type { RepeatOptions } from './options.js'
import { Places } from './places.js'
import { RepeatFilter } from './repeat-filter.js'
import { comparedTexts, normalTexts, separator, type ComparedTexts } from './texts.js'
import { verdict, type Verdict } from './verdicts.js'

export interface ExaminerOptions {
  /** Which examples repeat others; null looks for none. */
  readonly repeats: RepeatOptions | null
  /** Whether examples with one question and several answers are counted; no when omitted. */
  readonly questions?: boolean
  readonly evaluations?: readonly Evaluation[]
  /** `drop` when omitted. */
  readonly action?: ContaminationAction
  /** Told of everything that is found, in the order of the data. */
  readonly onFinding?: (finding: Finding) => unknown
}

/** Contaminated examples that a report names. */
const mostNamed = 100

const matrix = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0))

/** Looks at the examples of several sets one after another, decides what becomes of each, and counts. */
export class Examiner {
  readonly #names: readonly string[]
  readonly #evaluations: readonly Evaluation[]
  readonly #action: ContaminationAction
  readonly #onFinding: (finding: Finding) => unknown
  readonly #filter: RepeatFilter | null
  readonly #questions: DigestTable | null
  readonly #places = new Places()
  readonly #clusters = new Clusters()
  /** Number of the first example of each set so far, and examples without text. */
  readonly #starts: number[] = []
  readonly #withoutText: number[] = []
  readonly #counts: Readonly<Record<Finding['kind'], number[][]>>
  readonly #contaminated: Finding[] = []

  constructor(names: readonly string[], options: ExaminerOptions) {
    const { repeats, questions = false, evaluations = [], action = 'drop', onFinding } = options
    this.#names = names
    this.#evaluations = evaluations
    this.#action = action
    this.#onFinding = onFinding ?? (() => undefined)
    this.#filter = repeats && new RepeatFilter(repeats)
    this.#questions = questions ? new DigestTable() : null
    const square = () => matrix(names.length, names.length)
    this.#counts = {
      exact: square(),
      near: square(),
      question: square(),
      contaminated: matrix(evaluations.length, names.length),
    }
  }

  /** Begins the next set. */
  beginSet(): void {
    this.#starts.push(this.#places.count)
    this.#withoutText.push(0)
  }

  /** What becomes of the next example of the set. */
  see({ example, where }: LocatedExample): Verdict {
    const number = this.#places.add(where)
    const texts = comparedTexts(example)
    const normal = texts && normalTexts(texts)
    if (!normal || (normal.answer === '' && normal.question.every((text) => text === ''))) {
      this.#withoutText[this.#set]!++
      return verdict.kept
    }
    if (this.#isContaminated(normal.asked, where) && this.#action === 'drop') return verdict.contaminated
    const repeat = this.#filter?.see(number, normal) ?? null
    if (repeat) {
      this.#clusters.add(repeat.of, where, texts, () => this.#places.at(repeat.of))
      this.#repeated(repeat.kind, where, repeat.of, repeat.similarity)
    }
    if (repeat?.kind !== 'exact') this.#countQuestion(number, normal, where, repeat !== null)
    return repeat ? verdict[repeat.kind] : verdict.kept
  }

  report(): Examination {
    const { exact, near, question, contaminated } = this.#counts
    const ends = [...this.#starts.slice(1), this.#places.count]
    return {
      sets: this.#starts.map((start, s) => ({
        name: this.#names[s]!,
        examples: ends[s]! - start,
        withoutText: this.#withoutText[s]!,
      })),
      exact: this.#filter && exact,
      questions: this.#questions && question,
      near: this.#filter?.findsNear ? near : null,
      crowded: this.#filter?.crowded ?? 0,
      clusters: { count: this.#clusters.count, largest: this.#clusters.largest() },
      contamination: {
        evaluations: this.#evaluations.map(({ name, questions }) => ({ name, questions })),
        counts: contaminated,
        found: this.#contaminated,
      },
    }
  }

  get #set(): number {
    return this.#starts.length - 1
  }

  #isContaminated(asked: readonly string[], where: string): boolean {
    for (const [e, evaluation] of this.#evaluations.entries()) {
      const overlap = evaluation.find(asked)
      if (!overlap) continue
      this.#counts.contaminated[e]![this.#set]!++
      const finding: Finding = {
        kind: 'contaminated',
        where,
        of: evaluation.placeOf(overlap.record),
        set: this.#names[this.#set]!,
        ofSet: evaluation.name,
        text: excerpt(overlap.text, 300),
      }
      this.#onFinding(finding)
      if (this.#contaminated.length < mostNamed) this.#contaminated.push(finding)
      if (this.#action === 'error') throw contaminationError(finding)
      return true
    }
    return false
  }

  /** Counts an example whose question an earlier one has; one that is near to it as a whole counts as that. */
  #countQuestion(number: number, { frame, question }: ComparedTexts, where: string, isNear: boolean): void {
    if (!this.#questions || question.every((text) => text === '')) return
    const earlier = this.#questions.add(digestOf([frame, ...question].join(separator)), number)
    if (earlier !== undefined && !isNear) this.#repeated('question', where, earlier)
  }

  #repeated(kind: 'exact' | 'near' | 'question', where: string, of: number, similarity?: number): void {
    const earlier = this.#starts.findLastIndex((start) => start <= of)
    this.#counts[kind][earlier]![this.#set]!++
    this.#onFinding({
      kind,
      where,
      of: this.#places.at(of),
      set: this.#names[this.#set]!,
      ofSet: this.#names[earlier]!,
      ...(similarity === undefined ? {} : { similarity }),
    })
  }
}

const contaminationError = ({ where, of, ofSet, text = '' }: Finding): IftError =>
  new IftError(
    'IFT_DATA_CONTAMINATED',
    `${where}: the record shares a text with ${ofSet}, ${of}: ${excerpt(text, 120)}`,
    'Every such record: npx ift data audit. They are left out of training by decontaminate.action: drop.',
  )
