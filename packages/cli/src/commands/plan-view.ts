import { basename } from 'node:path'
import type { Training } from '@ift/core'
import { bytes, compact } from '../ui/format.js'

const listed = (files: readonly string[]) =>
  `${files
    .slice(0, 3)
    .map((file) => basename(file))
    .join(', ')}${files.length > 3 ? ` and ${files.length - 3} more` : ''}`

/** The plan of a run as rows of a table. */
export function planRows(training: Training): [string, string][] {
  const { plan, open, data, trainable, parameters, trainer, microBatchTokens } = training
  const asked = open.config.train.microBatchTokens
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
    ...(microBatchTokens > asked
      ? [
          [
            'micro-batch',
            `${microBatchTokens} tokens, which the longest sequence has; train.microBatchTokens says ${asked}`,
          ] as [string, string],
        ]
      : []),
    ['weights', bytes(plan.weights)],
    ['optimiser', bytes(plan.training)],
    [
      'activations',
      `${bytes(plan.activations)}${plan.recomputeLayers ? `, ${plan.recomputeLayers} layers recomputed` : ''}`,
    ],
    ['workspace', bytes(plan.workspace)],
    ['total', `${bytes(plan.total)}${plan.fits ? '' : ' — more than there is'}`],
  ]
  const { tokens, by } = data.limit
  const limit =
    by === 'maxLength'
      ? `maxLength (${tokens} tokens)`
      : `the model's limit (${tokens} tokens; maxLength says ${open.config.maxLength})`
  for (const { name, store, leftOut } of data.datasets) {
    if (leftOut.length > 0)
      rows.push([
        `data ${name}`,
        `held out by their names and not read: ${listed(leftOut)} (split: all reads them)`,
      ])
    const { long, untrained, filtered, truncated } = store.counts
    const lost = long + untrained + filtered
    if (lost || truncated)
      rows.push([
        `data ${name}`,
        `${lost} of ${store.counts.examples} examples dropped, ${truncated} cut to ${limit}`,
      ])
  }
  return rows
}
