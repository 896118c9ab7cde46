import { expect, test } from 'vitest'
import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'
import { recomputeModules } from '../nn/recompute-layers.js'
import { Linear } from '../nn/linear.js'
import { Module } from '../nn/module.js'
import { quantizeLinears } from '../nn/quantized-linear.js'
import { ops } from '../ops/index.js'
import { referenceBackend } from '../reference/index.js'
import { full, tensor } from '../tensor/create.js'
import { scope } from '../tensor/scope.js'
import { backward } from '../tensor/tape.js'
import type { Tensor } from '../tensor/tensor.js'
import { countingBackend } from './index.js'

class Block extends Module<[Tensor], Tensor> {
  readonly gate = new Linear(24, 40)
  readonly up = new Linear(24, 40)
  readonly down = new Linear(40, 24)

  protected forward(x: Tensor): Tensor {
    return this.down.call(ops.swiglu(this.gate.call(x), this.up.call(x)), x.alias())
  }
}

class Stack extends Module<[Tensor], Tensor> {
  readonly blocks = [new Block(), new Block(), new Block()]
  readonly head = new Linear(24, 70)

  protected forward(x: Tensor): Tensor {
    return this.blocks.reduce((y, block) => block.call(y), x)
  }
}

/** Memory after two passes forward and backward, and what the loss was. */
async function pass(backend: Backend, { quantize = false, recompute = 0 } = {}) {
  const model = new Stack()
  if (quantize) quantizeLinears(model, 'nf4', [model.head, ...model.blocks.map(({ gate }) => gate)])
  const chosen = new Set<unknown>(model.blocks.slice(0, recompute))
  recomputeModules(model, (_path, module) => chosen.has(module))
  for (const [path, parameter] of model.namedParameters()) {
    parameter.assign(full(backend, parameter.shape, 0.1, 'f32'))
    if (!quantize || /gate|head/.test(path)) parameter.setTrainable(true)
  }
  let loss = Number.NaN
  for (let i = 0; i < 2; i++) {
    const kept = scope(() => {
      const x = full(backend, [33, 24], 0.5, 'f32')
      const labels = tensor(backend, new Int32Array(33), [33], 'i32')
      const found = ops.linearCrossEntropy(model.call(x), model.head, labels, { gradScale: 1 })
      backward(found)
      return found
    })
    loss = (await kept.read())[0]!
    kept.release()
  }
  const { allocated, peak, buffers } = backend.memory()
  return { counted: { allocated, peak, buffers }, loss }
}

test.each([{}, { recompute: 2 }, { quantize: true }, { quantize: true, recompute: 3 }])(
  'counts what a backend that computes counts: %j',
  async (options) => {
    const real = await pass(referenceBackend(), options)
    const { counted, loss } = await pass(countingBackend(), options)
    expect(counted).toEqual(real.counted)
    expect(real.loss).toBeGreaterThan(0)
    expect(loss).toBe(0)
  },
)

test('blocks of a GPU are eighths of a power of two, and kernels take memory for the time of their call', () => {
  const backend = countingBackend('cuda')
  const buf = backend.alloc(1_000_001)
  expect(backend.memory()).toMatchObject({ allocated: 1_000_001, peak: 1_000_001, reserved: 1 << 20 })
  backend.sumRows(buf, buf, 640, 100, 'f32', 0)
  expect(backend.memory()).toMatchObject({ allocated: 1_000_001, peak: 1_004_001 })
  backend.resetPeak()
  expect(backend.memory().peak).toBe(1_000_001)
  backend.free(buf)
  expect(backend.memory()).toMatchObject({ allocated: 0, buffers: 0 })
})

test('a view keeps its buffer, a mapped file counts apart, and what was freed is refused', () => {
  const backend = countingBackend()
  const base = backend.alloc(100)
  const view = backend.view(base, 40, 60)
  backend.free(base)
  expect(backend.memory().allocated).toBe(100)
  expect(() => backend.view(view, 1, 60)).toThrow(IftError)
  backend.free(view)
  expect(() => {
    backend.free(view)
  }).toThrow(/freed or never made/)
  const mapped = backend.mapFile('nowhere', 0, 50)
  expect(backend.memory()).toMatchObject({ allocated: 0, mapped: 50 })
  backend.free(mapped)
  expect(() => backend.alloc(-1)).toThrow(IftError)
})
