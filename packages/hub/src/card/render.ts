import { chartImage, lossCurves } from '@ift/core'
import type { CardFacts } from './facts.js'
import { cardHead } from './head.js'
import { dataSection } from './sections/data.js'
import { evaluationSection } from './sections/evaluation.js'
import { fingerprintSection } from './sections/fingerprints.js'
import { limitSection } from './sections/limits.js'
import { recipeSection } from './sections/recipe.js'
import { templateSection } from './sections/template.js'
import { usageSection } from './sections/usage.js'

/** Picture of the loss, beside the card. */
export const lossImage = 'loss.svg'

/** Files of a card by name: README.md, and the picture that it shows where the run has logged its loss. */
export function renderCard(facts: CardFacts): ReadonlyMap<string, string> {
  const { title, base, family, method, ift, run } = facts
  const image = chartImage(lossCurves(run.metrics))
  const made = base?.name ?? (family === null ? 'a model' : `a model of the family ${family}`)
  const curves = image === '' ? null : `## Curves\n\n![Loss of the run by optimiser step](${lossImage})`
  const parts = [
    `# ${title}`,
    `An adapter (${method}) for ${base?.id === undefined ? made : `[${made}](https://huggingface.co/${base.id})`}, made by [ift](https://github.com/ift-dev/ift) ${ift}.`,
    usageSection(facts),
    templateSection(facts),
    dataSection(facts),
    recipeSection(facts),
    curves,
    evaluationSection(facts),
    limitSection(facts),
    fingerprintSection(facts),
  ]
  const body = parts.filter((part) => part !== null).join('\n\n')
  return new Map([
    ['README.md', `${cardHead(facts)}\n${body}\n`],
    ...(image === '' ? [] : [[lossImage, image] as const]),
  ])
}
