import type { ContaminationAction, Examination, Matrix } from '../data/duplicates/index.js'

/** A count as people read it: 1,000. */
export const countText = (count: number): string => count.toLocaleString('en')

/** All that a matrix counts. */
export const countOf = (matrix: Matrix | null): number =>
  (matrix ?? []).flat().reduce((sum, count) => sum + count, 0)

/** Says that the near duplicates of so many examples may not all be found. */
export const crowdedText = (count: number): string =>
  `${countText(count)} examples have so long a text in common with many others that only some of these were compared.`

/** What was left out, a line for each set and evaluation. */
export function examinationNotes(
  { sets, exact, near, crowded, contamination }: Examination,
  action: ContaminationAction,
): string[] {
  const notes: string[] = []
  if (crowded > 0) notes.push(`dedup: ${crowdedText(crowded)}`)
  for (const [s, { name, examples }] of sets.entries()) {
    const column = (matrix: Examination['exact']) => (matrix ?? []).map((row) => row[s]!)
    const [equal, alike] = [column(exact), column(near)]
    const of = sets.flatMap((one, i) => {
      const count = (equal[i] ?? 0) + (alike[i] ?? 0)
      return count === 0 ? [] : [`${countText(count)} of ${i === s ? 'its own' : one.name}`]
    })
    if (of.length > 0)
      notes.push(
        `dedup: ${name}: ${countText(countOf([equal, alike]))} of ${countText(examples)} examples left out, ${countText(countOf([equal]))} equal and ${countText(countOf([alike]))} near to earlier ones: ${of.join(', ')}.`,
      )
    for (const [e, evaluation] of contamination.evaluations.entries()) {
      const count = contamination.counts[e]![s]!
      if (count === 0) continue
      const first = contamination.found.find((one) => one.set === name && one.ofSet === evaluation.name)
      notes.push(
        `decontaminate: ${name}: ${countText(count)} of ${countText(examples)} examples share a text with ${evaluation.name} and ${action === 'drop' ? 'are left out' : 'stay'}${first ? `, ${first.where} with ${first.of} for one: "${first.text ?? ''}"` : ''}.`,
      )
    }
  }
  return notes
}
