import { definePeft, definePlugin } from '@ift/core'
import { bitfit } from './bitfit.js'
import { lnTuning } from './ln-tuning.js'
import { trainableTokens } from './trainable-tokens.js'

export const plugin = definePlugin('peft-parts', (host) => {
  host.use(definePeft(bitfit)).use(definePeft(lnTuning)).use(definePeft(trainableTokens))
})
export { bitfit, lnTuning, trainableTokens }
export type { PartOptions, TokenOptions } from './options.js'
