// @ts-check
import { cpus, loadavg, totalmem } from 'node:os'

/** Other work on the machine: the load of the last minute. */
export const loadNow = () => loadavg()[0] ?? 0

/** What stands beside the figures of a bench; `load` is the one before it began. @param {number} load */
export const machine = (load) => ({
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  load_average: Number(load.toFixed(2)),
})
