import { IftError, type AdapterSource, type PeftContext } from '@ift/core'
import { normal, zeros } from '@ift/core/peft'
import * as z from '@ift/core/options'
import { checkKeys, keysAndValues, keyWidth } from './keys-and-values.js'
import { virtualTokenMethod, virtualTokenOptions } from './method.js'
import { Projection } from './projection.js'
import { encoderPrefix, Table, type StoredRows } from './row-source.js'

const options = z.strictObject({
  ...virtualTokenOptions,
  projection: z
    .boolean()
    .default(false)
    .describe(
      'Whether two linear layers with tanh between them make keys and values while training; P-tuning v2 has none.',
    ),
  encoderHidden: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('Hidden size of the projection; the width of the keys of a layer when absent.'),
  init: z
    .enum(['random', 'zero'])
    .default('random')
    .describe('Start of keys and values: random, or zero, which still takes its share of the attention.'),
  positionsFromZero: z
    .boolean()
    .default(false)
    .describe(
      "Whether tokens keep their positions, as in ChatGLM's own P-tuning v2; in PEFT they stand virtualTokens further.",
    ),
})

export type PrefixTuningOptions = z.output<typeof options>

/**
 * Prefix tuning (Li & Liang 2021, arXiv:2101.00190), without projection P-tuning v2 (Liu et al. 2022, arXiv:2110.07602): keys and
 * values in front of those of every sequence are trained, in every layer. Keys are not rotated. The file holds keys and values.
 */
export const prefixTuning = virtualTokenMethod<PrefixTuningOptions>({
  name: 'prefix-tuning',
  peftType: 'PREFIX_TUNING',
  options,
  fields: { prefix_projection: 'projection', positions_from_zero: 'positionsFromZero' },
  ignoredFields: ['encoder_hidden_size', 'init_weights'],
  startOptions: ['projection', 'encoderHidden', 'init', 'positionsFromZero'],
  startFields: ['encoder_hidden_size', 'init_weights', 'prefix_projection'],
  unmergeable:
    'Virtual keys and values stand in front of those of every sequence, which no weight of the base can express.',
  lost: ({ prefix_projection: projection }) => (projection === true ? 'a projection' : null),
  readConfig: ({ prefix_projection: projection, encoder_hidden_size: hidden, init_weights: init }) => ({
    ...(projection === true && typeof hidden === 'number' && { encoderHidden: hidden }),
    ...(init === 'zero' && { init }),
  }),
  check({ projection, encoderHidden }) {
    if (!projection && encoderHidden !== undefined)
      throw new IftError(
        'IFT_PEFT_OPTIONS',
        `peft.encoderHidden is for peft.projection: true, found peft.projection: false with ${encoderHidden}.`,
        'Set peft.projection: true, or leave out peft.encoderHidden.',
      )
  },
  checkModel: checkKeys,
  sizes: (shape) => ({
    heads: shape.kvHeads,
    tokenDim: keyWidth(shape),
    width: shape.layers * 2 * keyWidth(shape),
  }),
  begin({ virtualTokens: count, projection, encoderHidden, init }, { shape }) {
    const input = keyWidth(shape)
    const width = shape.layers * 2 * input
    if (!projection) return new Table(count, width, init === 'zero' ? zeros : normal(1))
    const hidden = encoderHidden ?? input
    return new Projection({ count, input, hidden, width }, init === 'zero' ? zeros : undefined)
  },
  stored: storedProjection,
  fromZero: ({ positionsFromZero }) => positionsFromZero,
  prefix: ({ virtualTokens, positionsFromZero }, context, rows) => ({
    ...keysAndValues(virtualTokens, context, rows),
    positionsFromZero,
  }),
  writeConfig: ({ projection, encoderHidden, init, positionsFromZero }, { shape }) => ({
    encoder_hidden_size: encoderHidden ?? keyWidth(shape),
    init_weights: init === 'zero' ? init : null,
    prefix_projection: projection,
    // PEFT knows no such field, and would put the tokens elsewhere.
    ...(positionsFromZero && { positions_from_zero: true }),
  }),
})

/** The projection itself where a file holds it, as ChatGLM's own checkpoints do; its sizes are the file's. */
function storedProjection(
  source: AdapterSource,
  { virtualTokens: count }: PrefixTuningOptions,
  { shape }: PeftContext,
): StoredRows | null {
  const names = new Set(source.names())
  if (!names.has(`${encoderPrefix}embedding.weight`)) return null
  const lastOf = (name: string) => (names.has(name) ? source.shape(name).at(-1)! : 1)
  const input = lastOf(`${encoderPrefix}embedding.weight`)
  const hidden = lastOf(`${encoderPrefix}transform.0.bias`)
  const rows = new Projection({ count, input, hidden, width: shape.layers * 2 * keyWidth(shape) })
  return { rows, names: new Map(rows.tensors().map(({ name }) => [name, name])) }
}
