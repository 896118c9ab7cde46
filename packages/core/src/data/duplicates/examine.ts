import { IftError } from '@ift/tensor'
import type { LocatedExample } from '../build.js'
import { excerpt } from '../read/record.js'
import { Clusters, type Cluster } from './clusters.js'
import { DigestTable, digestOf } from './digest-table.js'
import type { Evaluation } from './evaluation.js'
import { normalise } from './normalise.js'
import type { RepeatOptions } from './options.js'
import { Places } from './places.js'
import { RepeatFilter } from './repeat-filter.js'
import { comparedTexts, type ComparedTexts } from './texts.js'
import { verdict, VerdictList, type Verdict } from './verdicts.js'

/** A set of examples to look through. */
export interface ExaminedSet {
  readonly name: string
  readonly examples: () => AsyncIterable<LocatedExample>
}

/** What becomes of examples that share a text with an evaluation. */
export type ContaminationAction = 'drop' | 'warn' | 'error'

export interface ExamineOptions {
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

/** A record and the one that it is like. */
export interface Finding {
  /** `question`: an earlier record has the question, with another answer. */
  readonly kind: 'exact' | 'near' | 'question' | 'contaminated'
  /** `file:line` of the record and of the other one. */
  readonly where: string
  readonly of: string
  /** Names of their sets. */
  readonly set: string
  readonly ofSet: string
  /** Jaccard similarity of a repeat. */
  readonly similarity?: number
  /** The beginning of the text that a contaminated record shares, normalised. */
  readonly text?: string
}

/** Counts by the set of the earlier record (rows) and that of the later one (columns), both in the order of `sets`. */
export type Matrix = readonly (readonly number[])[]

export interface Examination {
  readonly sets: readonly {
    readonly name: string
    readonly examples: number
    /** Examples without words, and token ids, which are not compared. */
    readonly withoutText: number
  }[]
  /** Examples that are equal to an earlier one; null when repeats were not looked for. */
  readonly exact: Matrix | null
  /** Examples with the question of an earlier one and another answer; null when they were not counted. */
  readonly questions: Matrix | null
  readonly near: Matrix | null
  readonly clusters: {
    /** Examples that others repeat. */
    readonly count: number
    /** The ones that most repeat, largest first. */
    readonly largest: readonly Cluster[]
  }
  readonly contamination: {
    readonly evaluations: readonly { readonly name: string; readonly questions: number }[]
    /** Contaminated examples by evaluation (rows) and set (columns); an example counts for the first evaluation that it shares a text with. */
    readonly counts: Matrix
    /** The first of them. */
    readonly found: readonly Finding[]
  }
}

/** Contaminated examples that a report names. */
const mostNamed = 100

const matrix = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0))

/**
 * Reads all sets once, in order, and finds what repeats an earlier example and what is in an evaluation; of equal examples the one of the
 * first named set stays. Returns the counts, and for each set what becomes of each of its examples. Memory: about 100 bytes for
 * an example, and what NearIndex takes for one that stays.
 */
export async function examine(
  sets: readonly ExaminedSet[],
  options: ExamineOptions,
): Promise<{ readonly report: Examination; readonly verdicts: readonly Uint8Array[] }> {
  const { repeats, questions: countQuestions = false, evaluations = [], action = 'drop', onFinding } = options
  const filter = repeats && new RepeatFilter(repeats)
  const questions = countQuestions ? new DigestTable() : null
  const counts = {
    exact: matrix(sets.length, sets.length),
    near: matrix(sets.length, sets.length),
    question: matrix(sets.length, sets.length),
    contaminated: matrix(evaluations.length, sets.length),
  }
  const places = new Places()
  const clusters = new Clusters()
  const found: Finding[] = []
  const starts: number[] = []
  const setOf = (number: number) => starts.findLastIndex((start) => start <= number)
  const verdicts: Uint8Array[] = []
  const read: Examination['sets'][number][] = []

  for (const [s, set] of sets.entries()) {
    starts.push(places.count)
    const list = new VerdictList()
    let withoutText = 0
    const finding = (
      kind: Finding['kind'],
      where: string,
      more: Pick<Finding, 'of' | 'ofSet' | 'similarity' | 'text'>,
    ) => {
      const one: Finding = { kind, where, set: set.name, ...more }
      onFinding?.(one)
      return one
    }
    const contaminated = (asked: readonly string[], where: string): boolean => {
      for (const [e, evaluation] of evaluations.entries()) {
        const overlap = evaluation.find(asked)
        if (!overlap) continue
        counts.contaminated[e]![s]!++
        const of = evaluation.placeOf(overlap.record)
        const text = excerpt(overlap.text, 300)
        const one = finding('contaminated', where, { of, ofSet: evaluation.name, text })
        if (found.length < mostNamed) found.push(one)
        if (action === 'error') throw contaminationError(one)
        return true
      }
      return false
    }
    const repeated = (number: number, where: string, texts: ComparedTexts): Verdict => {
      const repeat = filter?.see(number, texts)
      if (repeat) {
        const of = setOf(repeat.of)
        counts[repeat.kind][of]![s]!++
        const { similarity } = repeat
        clusters.add(repeat.of, where, texts, () => places.at(repeat.of))
        finding(repeat.kind, where, { of: places.at(repeat.of), ofSet: sets[of]!.name, similarity })
      }
      if (repeat?.kind === 'exact' || !questions) return repeat ? verdict[repeat.kind] : verdict.kept
      const question = [texts.frame, ...texts.question].map(normalise)
      if (question.some((part) => part !== '')) {
        const earlier = questions.add(digestOf(question.join('\u0001')), number)
        if (earlier !== undefined && !repeat) {
          const of = setOf(earlier)
          counts.question[of]![s]!++
          finding('question', where, { of: places.at(earlier), ofSet: sets[of]!.name })
        }
      }
      return repeat ? verdict[repeat.kind] : verdict.kept
    }
    for await (const { example, where } of set.examples()) {
      const number = places.add(where)
      const texts = comparedTexts(example)
      if (!texts || (texts.answer.trim() === '' && texts.question.every((text) => text.trim() === ''))) {
        withoutText++
        list.add(verdict.kept)
        continue
      }
      const drops = contaminated(texts.asked, where) && action === 'drop'
      list.add(drops ? verdict.contaminated : repeated(number, where, texts))
    }
    verdicts.push(list.values())
    read.push({ name: set.name, examples: places.count - starts[s]!, withoutText })
  }
  const report: Examination = {
    sets: read,
    exact: repeats && counts.exact,
    questions: questions && counts.question,
    near: repeats?.near ? counts.near : null,
    clusters: { count: clusters.count, largest: clusters.largest() },
    contamination: {
      evaluations: evaluations.map((one) => ({ name: one.name, questions: one.questions })),
      counts: counts.contaminated,
      found,
    },
  }
  return { report, verdicts }
}

const contaminationError = ({ where, of, ofSet, text = '' }: Finding): IftError =>
  new IftError(
    'IFT_DATA_CONTAMINATED',
    `${where}: the record shares a text with ${ofSet}, ${of}: ${excerpt(text, 120)}`,
    'Every such record: npx ift data audit. They are left out of training by decontaminate.action: drop.',
  )
