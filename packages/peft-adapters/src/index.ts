import { definePeft, definePlugin } from '@ift/core'
import { houlsby, parallel, pfeiffer } from './adapter-hub/method.js'
import { bottleneck } from './bottleneck/method.js'

export const plugin = definePlugin('peft-adapters', (host) =>
  host
    .use(definePeft(houlsby))
    .use(definePeft(pfeiffer))
    .use(definePeft(parallel))
    .use(definePeft(bottleneck)),
)
export { houlsby, parallel, pfeiffer } from './adapter-hub/method.js'
export type { HoulsbyOptions, ParallelOptions, PfeifferOptions } from './adapter-hub/options.js'
export { bottleneck } from './bottleneck/method.js'
export type { BottleneckOptions } from './bottleneck/options.js'
