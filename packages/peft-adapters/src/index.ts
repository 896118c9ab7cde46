import { definePeft, definePlugin } from '@ift/core'
import { houlsby, parallel, pfeiffer } from './adapter-hub/method.js'
import { bottleneck } from './bottleneck/method.js'

export const plugin = definePlugin('@ift/peft-adapters', (host) =>
  host
    .use(definePeft(houlsby))
    .use(definePeft(pfeiffer))
    .use(definePeft(parallel))
    .use(definePeft(bottleneck)),
)
export { SublayerAdapter } from './adapter-hub/layer.js'
export { houlsby, parallel, pfeiffer } from './adapter-hub/method.js'
export type { HoulsbyOptions, HubOptions, ParallelOptions, PfeifferOptions } from './adapter-hub/options.js'
export { BottleneckLinear, type BranchPlace } from './bottleneck/layer.js'
export { bottleneck } from './bottleneck/method.js'
export type { BottleneckOptions } from './bottleneck/options.js'
