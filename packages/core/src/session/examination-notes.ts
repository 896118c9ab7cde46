import type { ContaminationAction, Examination } from '../data/duplicates/index.js'

const crowdedNote = (count: number) =>
  `dedup: ${number(count)} examples have so long a text in common with many others that only some of these were compared.`

const number = (count: number) => count.toLocaleString('en')

/** What was left out, a line for each set and evaluation. */
export function examinationNotes(
  { sets, exact, near, crowded, contamination }: Examination,
  action: ContaminationAction,
): string[] {
  const notes: string[] = []
  if (crowded > 0) notes.push(crowdedNote(crowded))
  for (const [s, { name, examples }] of sets.entries()) {
    const column = (matrix: Examination['exact']) => (matrix ?? []).map((row) => row[s]!)
    const [equal, alike] = [column(exact), column(near)]
    const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
    const of = sets.flatMap((one, i) => {
      const count = (equal[i] ?? 0) + (alike[i] ?? 0)
      return count === 0 ? [] : [`${number(count)} of ${i === s ? 'its own' : one.name}`]
    })
    if (of.length > 0)
      notes.push(
        `dedup: ${name}: ${number(total(equal) + total(alike))} of ${number(examples)} examples left out, ${number(total(equal))} equal and ${number(total(alike))} near to earlier ones: ${of.join(', ')}.`,
      )
    for (const [e, evaluation] of contamination.evaluations.entries()) {
      const count = contamination.counts[e]![s]!
      if (count === 0) continue
      const first = contamination.found.find((one) => one.set === name && one.ofSet === evaluation.name)
      notes.push(
        `decontaminate: ${name}: ${number(count)} of ${number(examples)} examples share a text with ${evaluation.name} and ${action === 'drop' ? 'are left out' : 'stay'}${first ? `, ${first.where} with ${first.of} for one: "${first.text ?? ''}"` : ''}.`,
      )
    }
  }
  return notes
}
