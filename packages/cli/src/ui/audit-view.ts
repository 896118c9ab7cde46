import { countOf, countText, crowdedText, type Examination, type Matrix, type VerbTerminal } from '@ift/core'

/** Contaminated records that are shown. */
const shown = 20

/** Shows a report for people. */
export function auditText(
  { sets, exact, questions, near, crowded, clusters, contamination }: Examination,
  terminal: Pick<VerbTerminal, 'table' | 'note' | 'view'>,
): void {
  const at = (matrix: Matrix | null, i: number, j: number) => matrix?.[i]?.[j] ?? 0
  terminal.table(
    sets.map(({ name, examples, withoutText }) => [
      name,
      `${countText(examples)} examples${withoutText ? `, ${countText(withoutText)} of them without a text` : ''}`,
    ]),
    'Sets',
  )
  const repeats = sets.flatMap((of, i) =>
    sets.flatMap((by, j): (readonly [string, string])[] => {
      const counts = [
        [at(exact, i, j), 'equal'],
        [at(near, i, j), 'near'],
        [at(questions, i, j), 'with another answer to the same question'],
      ] as const
      const there = counts.filter(([count]) => count > 0)
      if (there.length === 0) return []
      const text = there.map(([count, what]) => `${countText(count)} ${what}`).join(', ')
      return [[i === j ? `${by.name} in itself` : `${by.name} in ${of.name}`, text]]
    }),
  )
  if (repeats.length > 0) terminal.table(repeats, 'Repeated')
  else terminal.note('No example repeats another.')
  if (crowded > 0) terminal.note(crowdedText(crowded))
  if (clusters.largest.length > 0)
    terminal.table(
      clusters.largest.map(({ where, repeats, example }) => [
        where,
        `${countText(repeats)} ${repeats === 1 ? 'example' : 'examples'}, ${example.where}: ${example.text}`,
      ]),
      `Most repeated, of ${countText(clusters.count)}`,
    )
  const { evaluations, counts, found } = contamination
  if (evaluations.length === 0) return
  terminal.table(
    evaluations.flatMap(({ name, questions: asked }, e) =>
      sets.map((set, s): [string, string] => [
        `${set.name} in ${name}`,
        `${countText(at(counts, e, s))} of ${countText(set.examples)} examples share a text with one of ${countText(asked)} records`,
      ]),
    ),
    'Contamination',
  )
  for (const { where, of, text = '' } of found.slice(0, shown)) terminal.view(`${where} and ${of}: ${text}\n`)
  const more = countOf(counts) - Math.min(shown, found.length)
  if (more > 0) terminal.note(`… and ${countText(more)} more; all of them in a file: --output FILE`)
}
