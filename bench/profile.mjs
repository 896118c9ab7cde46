// @ts-check
// Where the time of a LoRA training step goes on this machine's CPU: time by kernel, JavaScript's time, peak memory.
//   node bench/profile.mjs [--model smollm2-135m] [--dtype bf16] [--quantize none] [--batch 2] [--seq 256] [--steps 5] [--warmup 2] [--json]
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { Ift } from '@ift/core'
import { loraConfig, randomTokens, runOptions, scratchFolder, sizesOf } from './lora-run.mjs'
import { loadNow } from './machine.mjs'

const { values } = parseArgs({ options: { ...runOptions, json: { type: 'boolean', default: false } } })
const sizes = sizesOf(values)
const { batch, seq, steps, warmup, total } = sizes
const scratch = scratchFolder()
const ift = await Ift.load({
  config: {
    ...loraConfig(values, sizes, join(scratch, 'run')),
    data: [randomTokens(scratch, sizes)],
  },
})
const training = await ift.createTraining()
const { backend } = training.open
if (!('startProfile' in backend)) throw new Error('the backend counts no kernels')
/** @typedef {{ kernel: string, detail: string, calls: number, ms: number }} KernelTime */
const counting = /** @type {{ startProfile(): void, stopProfile(): KernelTime[] }} */ (
  /** @type {unknown} */ (backend)
)
let [step, begin, busy] = [0, NaN, NaN]
/** @type {{ wall: number, js: number, kernels: KernelTime[] } | undefined} */
let found
training.trainer.hooks.log.tap('profile', ({ kind }) => {
  if (kind !== 'train') return
  step++
  if (step === warmup) {
    counting.startProfile()
    begin = performance.now()
    busy = performance.eventLoopUtilization().active
  } else if (step === total) {
    found = {
      wall: (performance.now() - begin) / steps,
      js: (performance.eventLoopUtilization().active - busy) / steps,
      kernels: counting.stopProfile(),
    }
  }
})
await training.run()
const memory = backend.memory()
const { description } = backend.device
await ift.close()
if (found === undefined) throw new Error('the run ended early')

const { wall, js } = found
const kernels = found.kernels
  .map((one) => ({ ...one, calls: one.calls / steps, ms: one.ms / steps }))
  .sort((a, b) => b.ms - a.ms)
/** Operations of the calls of a product, from the shape in its detail. @param {KernelTime} one */
const flops = ({ detail, calls }) => {
  const shape = /^(\d+)x(\d+)x(\d+)(?:\+(\d+))? /.exec(detail)
  return shape === null
    ? 0
    : 2 * Number(shape[1]) * Number(shape[2]) * (Number(shape[3]) + Number(shape[4] ?? 0)) * calls
}
const counted = kernels.reduce((sum, { ms }) => sum + ms, 0)
const rss = process.resourceUsage().maxRSS / 1024
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ model: values.model, dtype: values.dtype, quantize: values.quantize, batch, seq, wall, js, peakDeviceMib: memory.peak / 2 ** 20, peakRssMib: rss, device: description, load: loadNow(), kernels })}\n`,
  )
} else {
  const row = (/** @type {string} */ name, /** @type {string[]} */ cells) =>
    `${name.padEnd(52)}${cells.map((cell) => cell.padStart(10)).join('')}\n`
  const out = [
    `${values.model} ${values.dtype} ${batch}x${seq}, ${description}, load ${loadNow().toFixed(1)}\n`,
    row('per step', ['calls', 'ms', '%', 'us/call', 'GFLOP/s']),
  ]
  for (const one of kernels) {
    const work = flops(one)
    const { kernel, detail, calls, ms } = one
    const rate = work === 0 ? '' : (work / ms / 1e6).toFixed(0)
    const share = ((100 * ms) / counted).toFixed(1)
    out.push(
      row(`${kernel} ${detail}`, [
        calls.toFixed(0),
        ms.toFixed(2),
        share,
        ((1e3 * ms) / calls).toFixed(1),
        rate,
      ]),
    )
  }
  out.push(
    row('kernels', ['', counted.toFixed(1)]),
    row('step', ['', wall.toFixed(1)]),
    row('JavaScript', ['', js.toFixed(1)]),
    `${((1e3 * batch * seq) / wall).toFixed(0)} tokens/s, ${(kernels.reduce((sum, one) => sum + flops(one), 0) / 1e9).toFixed(0)} GFLOP a step, `,
    `peak ${(memory.peak / 2 ** 20).toFixed(0)} MiB on the device, ${rss.toFixed(0)} MiB resident\n`,
  )
  process.stdout.write(out.join(''))
}
