import { expect, test } from 'vitest'
import { backward, full, ops, Parameter, scope, tensor, type Backend } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import type { TrainableParameter } from '../contract/index.js'
import { adamw } from './optimizer/adamw.js'
import { Optimizer } from './optimizer/optimizer.js'
import { TrainableChunk } from './trainable-chunk.js'

const settings = { definition: adamw, options: adamw.options.parse({}), weightDecay: 0.1, clipNorm: 1 }

function parameters(backend: Backend): TrainableParameter[] {
  return [3, 40, 1].map((size, i) => {
    const parameter = new Parameter([1, size])
    const values = Float32Array.from({ length: size }, (_, at) => at - i)
    parameter.assign(tensor(backend, values, [1, size]))
    parameter.setTrainable(true)
    return { name: `p${i}`, parameter, lrScale: 1, decay: true }
  })
}

/** Gradients of ones for these parameters. */
function run(of: readonly TrainableParameter[]) {
  for (const { parameter } of of) {
    const { value } = parameter
    scope(() => {
      const ones = full(value.backend, [1, value.size], 1, 'f32')
      backward(ops.linear(ones, value))
    })
  }
}

test('one stretch for all gradients; none for a parameter without, which then stays as it is', async () => {
  const backend = referenceBackend()
  const all = parameters(backend)
  const optimizer = new Optimizer(backend, all, settings)
  const [chunk] = optimizer.chunks
  const sizes = () => {
    const found: number[] = []
    scope(() => {
      for (const { size } of chunk!.spans({ learningRate: 0.1, weightDecay: 0.1 })) found.push(size)
    })
    return found
  }
  expect(sizes()).toEqual([])
  run(all)
  expect(sizes()).toEqual([32 + 64 + 32])
  const norm = await optimizer.update(0.1)
  expect((await norm.read())[0]).toBe(44)
  norm.release()
  expect(sizes()).toEqual([])

  run([all[0]!, all[2]!])
  expect(sizes()).toEqual([32, 32])
  const before = await all[1]!.parameter.value.read()
  const others = await all[2]!.parameter.value.read()
  ;(await optimizer.update(0.1)).release()
  expect(await all[1]!.parameter.value.read()).toEqual(before)
  expect(await all[2]!.parameter.value.read()).not.toEqual(others)

  // The values outlive the optimiser, and gradients go back to memory of their own.
  const values = await all[2]!.parameter.value.read()
  optimizer.release()
  expect(await all[2]!.parameter.value.read()).toEqual(values)
  run(all)
  expect(await all[0]!.parameter.grad!.read()).toEqual(new Float32Array([1, 1, 1]))
  for (const { parameter } of all) parameter.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

test('what is updated at another rate or without decay has a chunk of its own', () => {
  const backend = referenceBackend()
  const [a, b, c] = parameters(backend)
  const chunks = TrainableChunk.of(backend, [a!, { ...b!, decay: false }, c!], () => ({}))
  expect(chunks.map(({ parameters }) => parameters.map(({ name }) => name))).toEqual([['p0', 'p2'], ['p1']])
  for (const chunk of chunks) chunk.release()
  for (const one of [a!, b!, c!]) one.parameter.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})
