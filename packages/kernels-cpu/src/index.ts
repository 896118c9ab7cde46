export { instructionSets, openCpu, type CpuOptions } from './open.js'
export { plugin } from './plugin.js'
