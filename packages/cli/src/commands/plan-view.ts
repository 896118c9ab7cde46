import type { Training } from '@ift/core'
import { bytes, compact } from '../ui/format.js'

/** The plan of a run as rows of a table. */
export function planRows({ plan, open, data, trainable, parameters, trainer }: Training): [string, string][] {
  const rows: [string, string][] = [
    [
      'model',
      `${open.name} (${open.definition.name}, ${compact(parameters)} parameters, ${open.dtype}${open.quantize === 'none' ? '' : `, frozen ones in ${open.quantize}`})`,
    ],
    ['device', open.backend.device.description],
    ['template', open.template.name],
    ...(open.recipe.length > 0 ? [['recipe', open.recipe.join(', ')] as [string, string]] : []),
    ['trained', `${compact(trainable)} parameters (${((100 * trainable) / parameters).toFixed(2)} %)`],
    ['data', `${data.train.count} sequences${data.validation ? `, ${data.validation.count} held out` : ''}`],
    ['steps', String(trainer.totalSteps)],
    ['weights', bytes(plan.weights)],
    ['optimiser', bytes(plan.training)],
    [
      'activations',
      `${bytes(plan.activations)}${plan.recomputeLayers ? `, ${plan.recomputeLayers} layers recomputed` : ''}`,
    ],
    ['workspace', bytes(plan.workspace)],
    ['total', `${bytes(plan.total)}${plan.fits ? '' : ' — more than there is'}`],
  ]
  for (const { name, store } of data.datasets) {
    const { long, untrained, filtered, truncated } = store.counts
    const lost = long + untrained + filtered
    if (lost || truncated)
      rows.push([
        `data ${name}`,
        `${lost} of ${store.counts.examples} examples dropped, ${truncated} cut to maxLength`,
      ])
  }
  return rows
}
