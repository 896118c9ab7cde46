import type { CardFacts } from '../facts.js'

/** What somebody should know who uses the adapter. */
export function limitSection({ sources, results, run }: CardFacts): string | null {
  const limits = [
    ...sources.flatMap(({ name, evaluation }) =>
      evaluation.length === 0
        ? []
        : [`${name} holds data that others evaluate on: ${evaluation.join(', ')}. Results on it say little.`],
    ),
    ...sources.flatMap(({ name, warnings }) => warnings.map((warning) => `${name}: ${warning}`)),
    ...results.flatMap(({ task, contaminated }) =>
      contaminated === null || contaminated === 0
        ? []
        : [`The training data hold ${(100 * contaminated).toFixed(1)} % of the items of ${task}.`],
    ),
    ...(results.length === 0 ? ['It has not been evaluated: no results lie beside it.'] : []),
    ...(run.result === null && run.manifest !== null ? ['Its run has not come to an end.'] : []),
    ...(run.manifest === null ? ['Its run is not recorded beside it.'] : []),
  ]
  return limits.length === 0 ? null : `## Known limits\n\n${limits.map((limit) => `- ${limit}`).join('\n')}`
}
