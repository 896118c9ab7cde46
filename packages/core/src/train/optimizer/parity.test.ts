import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { OptimizerDefinition, TrainableParameter } from '../../contract/index.js'
import { optimizerConformance } from '../../testing/optimizer.js'
import { openCpu } from '@ift/kernels-cpu'
import { keep, Parameter, tensor, type Backend } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { builtinOptimizers } from './index.js'
import { Optimizer } from './optimizer.js'

interface Case {
  optimizer: { name: string } & Record<string, unknown>
  rates: number[]
  parameters: Record<string, Record<string, number[]>>
}

interface Fixture {
  clipNorm: number
  weightDecay: number
  lrScale: Record<string, number>
  shapes: Record<string, number[]>
  initial: Record<string, number[]>
  gradients: Record<string, number[]>[]
  norms: number[]
  cases: Record<string, Case>
}

const path = fileURLToPath(new URL('../../../../../fixtures/optimizers.json', import.meta.url))
const fixture = JSON.parse(readFileSync(path, 'utf8')) as Fixture

const named = (name: string): OptimizerDefinition => builtinOptimizers.find((one) => one.name === name)!

function parameters(backend: Backend): TrainableParameter[] {
  return Object.entries(fixture.initial).map(([name, values]) => {
    const parameter = new Parameter(fixture.shapes[name]!)
    parameter.assign(keep(tensor(backend, values, fixture.shapes[name]!, 'f32')))
    parameter.setTrainable(true)
    return { name, parameter, lrScale: fixture.lrScale[name] ?? 1, decay: parameter.shape.length > 1 }
  })
}

/** Takes the steps of a case; the largest difference of a kept parameter from the reference, relative to its size. */
async function follow(backend: Backend, { optimizer: { name, ...written }, rates, parameters: kept }: Case) {
  const definition = named(name)
  const options: unknown = definition.options.parse(written)
  const trainable = parameters(backend)
  const { weightDecay, clipNorm } = fixture
  const optimizer = new Optimizer(backend, trainable, { definition, options, weightDecay, clipNorm })
  let worst = 0
  for (const [step, rate] of rates.entries()) {
    for (const { name, parameter } of trainable)
      backend.write(parameter.gradient().buf, Float32Array.from(fixture.gradients[step]![name]!))
    const norm = await optimizer.update(rate)
    expect(Math.sqrt((await norm.read())[0]!)).toBeCloseTo(fixture.norms[step]!, 4)
    norm.release()
    for (const [name, expected] of Object.entries(kept[step + 1] ?? {})) {
      const found = await trainable.find((one) => one.name === name)!.parameter.value.read()
      const size = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length)
      for (const [i, value] of expected.entries()) worst = Math.max(worst, Math.abs(found[i]! - value) / size)
    }
  }
  optimizer.release()
  for (const { parameter } of trainable) parameter.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
  return worst
}

const devices: readonly [string, () => Backend][] = [
  ['the reference', referenceBackend],
  ['the CPU', () => openCpu({ threads: 2 })],
  ['the CPU without vector instructions', () => openCpu({ threads: 1, isa: 'portable' })],
]

describe.each(Object.entries(fixture.cases))('24 steps of %s follow torch', (_title, of) => {
  test.each(devices)('on %s', async (_device, open) => {
    expect(Object.keys(of.parameters)).toHaveLength(3)
    expect(await follow(open(), of)).toBeLessThan(2e-6)
  })
})

describe('on the CPU', () => {
  const backend = () => openCpu({ threads: 2 })
  const options = { adafactor: { beta1: 0.9, scaleParameter: true } } as Record<string, object>
  for (const definition of builtinOptimizers) {
    for (const { name, run } of optimizerConformance(definition, { backend })) test(name, run)
    const more = options[definition.name]
    if (more)
      for (const { name, run } of optimizerConformance(definition, { backend, options: { ...more } }))
        test(`${name}, with ${Object.keys(more).join(' and ')}`, run)
  }
})
