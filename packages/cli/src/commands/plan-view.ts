import type { Speed, Training } from '@ift/core'
import { lossRows } from '../ui/data-view.js'
import { bytes, compact, duration } from '../ui/format.js'
import { mixtureRows } from '../ui/mixture-view.js'

/** How frozen weights are held, unless as numbers. */
function heldAs({ quantize, blocks }: Training['open']): string {
  if (quantize === 'none') return ''
  if (quantize !== 'blocks') return `, frozen ones in ${quantize}`
  return `, frozen ones in their file's blocks: ${[...new Set(blocks.values())].join(', ')}`
}

/** The plan of a run as rows of a table. */
export function planRows(training: Training): [string, string][] {
  const { plan, writtenOut, open, data, trainable, parameters, trainer, microBatchTokens, optimizer } =
    training
  const asked = open.config.train.microBatchTokens
  const rows: [string, string][] = [
    [
      'model',
      `${open.name} (${open.definition.name}, ${compact(parameters)} parameters, ${open.dtype}${heldAs(open)})`,
    ],
    ['device', open.backend.device.description],
    ['template', open.template.name],
    ...(open.recipe.length > 0 ? [['recipe', open.recipe.join(', ')] as [string, string]] : []),
    ['trained', `${compact(trainable)} parameters (${((100 * trainable) / parameters).toFixed(2)} %)`],
    [
      'data',
      `${data.train.size(0)} sequences${data.validation ? `, ${data.validation.size(0)} held out` : ''}`,
    ],
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
    ['optimiser', `${optimizer}, ${bytes(plan.training)} with gradients`],
    [
      'activations',
      `${bytes(plan.activations)}${plan.recomputeLayers ? `, ${plan.recomputeLayers} layers recomputed` : ''}`,
    ],
    ['workspace', bytes(plan.workspace)],
    ['total', `${bytes(plan.total)}${plan.fits ? '' : ' — more than there is'}`],
    ...(writtenOut
      ? [
          [
            'written out',
            `weights ${bytes(writtenOut.weights)}, total ${bytes(writtenOut.total)}, with --quantize none`,
          ] as [string, string],
        ]
      : []),
  ]
  rows.push(...mixtureRows(data.mixture))
  for (const one of data.datasets) rows.push(...lossRows(one, data.limit, open.config.maxLength))
  return rows
}

/** How long a run takes, evaluation and checkpoints apart. */
export const timeRows = (speed: Speed | null, steps: number): [string, string][] =>
  speed === null
    ? []
    : [
        [
          'time',
          `about ${duration(speed.secondsPerStep * steps)}: ${speed.secondsPerStep.toPrecision(2)} s a step, measured here (${compact(speed.rowsPerSecond)} tokens/s)`,
        ],
      ]
