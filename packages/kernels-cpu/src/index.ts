export type { RankOptions } from './communicator.js'
export { instructionSets, openCpu, openCpuRank, type CpuOptions } from './open.js'
export { plugin } from './plugin.js'
