// @ts-check
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'

/** Other work on the machine: the load of the last minute. */
export const loadNow = () => loadavg()[0] ?? 0

/** Instructions that the kernels ask for, as Linux names them; none where there is no /proc/cpuinfo. */
function instructions() {
  let text = ''
  try {
    text = readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    // Another system.
  }
  const flags = /^(?:flags|Features)\s*: (.*)$/m.exec(text)?.[1]?.split(' ') ?? []
  return ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'bf16'].filter((flag) => flags.includes(flag))
}

/** What stands beside the figures of a bench; `load` is the one before it began. @param {number} load */
export const machine = (load) => ({
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  isa: instructions(),
  memory_gib: Math.round(totalmem() / 2 ** 30),
  load_average: Number(load.toFixed(2)),
})
