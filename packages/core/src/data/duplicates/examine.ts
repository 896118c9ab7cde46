import type { LocatedExample } from '../build.js'
import type { Examination } from './examination.js'
import { Examiner, type ExaminerOptions } from './examiner.js'
import { VerdictList } from './verdicts.js'

/** A set of examples to look through. */
export interface ExaminedSet {
  readonly name: string
  readonly examples: () => AsyncIterable<LocatedExample>
}

/** What was found, and for each set a byte for each of its examples: a `Verdict`. */
export interface Examined {
  readonly report: Examination
  readonly verdicts: readonly Uint8Array[]
}

/**
 * Reads all sets once, in order, and finds what repeats an earlier example and what is in an evaluation; of equal examples that of the
 * first named set stays.
 */
export async function examine(sets: readonly ExaminedSet[], options: ExaminerOptions): Promise<Examined> {
  const examiner = new Examiner(
    sets.map(({ name }) => name),
    options,
  )
  const verdicts: Uint8Array[] = []
  for (const { examples } of sets) {
    examiner.beginSet()
    const list = new VerdictList()
    for await (const example of examples()) list.add(examiner.see(example))
    verdicts.push(list.values())
  }
  return { report: examiner.report(), verdicts }
}
