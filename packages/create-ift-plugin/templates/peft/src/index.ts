import { definePeft } from '@ift/core'
import * as z from '@ift/core/options'
import { moduleMethod, targetOptions } from '@ift/core/peft'
import { __Name__Linear } from './layer.js'

/** What a config may write under `peft` beside the method. */
export const options = z.strictObject({
  rank: z.number().int().positive().default(8).describe('Width of the branch.'),
  ...targetOptions,
})

/** A trained branch beside the attention's queries and values. */
export const method = moduleMethod<z.output<typeof options>>({
  name: '__name__',
  // Of adapter_config.json: by it an adapter finds this package.
  peftType: '__NAME__',
  targetRoles: ['query', 'value'],
  options,
  // Options by their names in adapter_config.json.
  fields: { rank: 'rank' },
  layer: (base, place) => new __Name__Linear(base, place.options.rank),
})

export const plugin = definePeft(method)
export { __Name__Linear } from './layer.js'
