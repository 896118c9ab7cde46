import { definePeft, definePlugin } from '@ift/core'
import { pTuning } from './p-tuning.js'
import { prefixTuning } from './prefix-tuning.js'
import { promptTuning } from './prompt-tuning.js'

export { pTuning, type PTuningOptions } from './p-tuning.js'
export { prefixTuning, type PrefixTuningOptions } from './prefix-tuning.js'
export { promptTuning, type PromptTuningOptions } from './prompt-tuning.js'

export const plugin = definePlugin('peft-ptuning', (host) =>
  host.use(definePeft(promptTuning)).use(definePeft(pTuning)).use(definePeft(prefixTuning)),
)
