import { describe, expect, it } from 'vitest'
import {
  backward,
  Linear,
  Module,
  noGrad,
  ops,
  Parameter,
  QuantizedLinear,
  QuantizedParameter,
  QuantizedTensor,
  quantFormats,
  quantizeLinears,
  random,
  scope,
  tensor,
  type LinearLike,
  type Tensor,
} from '../index.js'
import { referenceBackend } from '../reference/index.js'
import { assertNoLeaks } from '../testing/index.js'

class Two extends Module<[x: Tensor], Tensor> {
  first: LinearLike = new Linear(64, 32, { bias: true })
  lm_head: LinearLike = new Linear(32, 8)

  protected forward(x: Tensor): Tensor {
    return this.lm_head.call(this.first.call(x))
  }
}

const backend = referenceBackend()

/** y and the gradients of x and a low-rank branch through a layer with weight w. */
async function through(w: Tensor | QuantizedTensor, rows: number, dropped: boolean): Promise<Float32Array[]> {
  const inputs = [
    random(backend, [rows, 64], 'normal', { seed: 1 }),
    random(backend, [2, 64], 'normal', { seed: 2 }),
  ]
  const parameters = [...inputs, random(backend, [32, 2], 'normal', { seed: 3 })].map((t) => {
    const layer = new Linear(t.dim(1), t.dim(0))
    layer.weight.assign(t)
    layer.weight.setTrainable(true)
    return layer.weight
  })
  const [x, a, b] = parameters
  const y = scope(() => {
    const read = dropped ? ops.scale(x!.value, 0.5) : undefined
    const low = ops.lowRankLinear(x!.value, w, a!.value, b!.value, { scale: 0.5, dropped: read })
    const result = ops.linear(x!.value, w, { addTo: low })
    const ones = tensor(backend, new Float32Array(32).fill(1), [1, 32])
    const column = ops.linear(ops.mul(result, result), ones)
    backward(
      ops
        .linear(tensor(backend, new Float32Array(rows).fill(1), [1, rows]), column.reshape(1, rows))
        .reshape(1),
    )
    return result
  })
  const found = [await y.read()]
  for (const parameter of parameters) found.push(await parameter.grad!.read())
  y.release()
  for (const parameter of parameters) parameter.release()
  return found
}

/** The difference of two results, relative to the second. */
function apart(found: Float32Array, expected: Float32Array): number {
  const size = (x: Float32Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))
  return size(found.map((value, i) => value - expected[i]!)) / size(expected)
}

describe.each(quantFormats)('%s', (format) => {
  const rounds = format === 'int8'
  it(`a step over quantised weights is the step over their values, ${rounds ? 'within int8' : 'bit for bit'}`, async () => {
    const check = assertNoLeaks(backend)
    const w = random(backend, [32, 64], 'normal', { seed: 9 })
    const quantized = QuantizedTensor.from(w, format)
    const values = quantized.dequantize('f32')
    for (const dropped of [false, true]) {
      for (const rows of [1, 17]) {
        const found = await through(quantized, rows, dropped)
        const expected = await through(values, rows, dropped)
        if (!rounds) expect(found).toEqual(expected)
        else for (const [i, of] of found.entries()) expect(apart(of, expected[i]!)).toBeLessThan(0.03)
        expect(apart(found[0]!, expected[0]!) > 0).toBe(rounds)
      }
    }
    // A decoding step adds up by itself, and counts as equal within the rounding.
    for (const rows of [1, 16]) {
      const x = random(backend, [rows, 64], 'normal', { seed: 1 })
      const [few, same] = noGrad(() => [quantized, values].map((by) => scope(() => ops.linear(x, by))))
      const [found, expected] = [await few!.read(), await same!.read()]
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 4)
      for (const t of [x, few!, same!]) t.release()
    }
    for (const t of [w, quantized, values]) t.release()
    check()
  })

  it('layers are replaced before they have weights, keep their names, and quantise what they are assigned', async () => {
    const check = assertNoLeaks(backend)
    const model = new Two()
    const names = [...model.namedParameters()].map(([name]) => name)
    expect(quantizeLinears(model, format, [model.lm_head as Module])).toEqual(['first'])
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(names)
    const first: unknown = model.first
    if (!(first instanceof QuantizedLinear)) throw new Error('it was not replaced')
    expect(model.lm_head).not.toBeInstanceOf(QuantizedLinear)
    for (const [i, [, parameter]] of [...model.namedParameters()].entries())
      parameter.assign(random(backend, parameter.shape, 'normal', { seed: i }))
    const whole = random(backend, [32, 64], 'normal', { seed: 0 })
    const [expected, found] = [await whole.read(), await first.weight.quantized.read()]
    const worst = Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))
    expect(worst).toBeGreaterThan(0)
    expect(worst).toBeLessThan(format === 'nf4' ? 0.6 : 0.02)
    expect(first.weight.quantized.bytes).toBeLessThan(whole.bytes / (format === 'nf4' ? 7 : 3.7))
    const y = scope(() => model.call(random(backend, [3, 64], 'normal', { seed: 5 })))
    expect(y.shape).toEqual([3, 8])
    for (const t of [y, whole]) t.release()
    expect(() => first.weight.value).toThrow(expect.objectContaining({ code: 'IFT_QUANTIZED' }))
    expect(() => {
      first.weight.setTrainable(true)
    }).toThrow(expect.objectContaining({ code: 'IFT_QUANTIZED' }))
    const wrong = random(backend, [64, 32], 'normal', { seed: 0 })
    expect(() => {
      first.weight.assign(wrong)
    }).toThrow(expect.objectContaining({ code: 'IFT_SHAPE' }))
    wrong.release()
    model.release()
    expect(() => first.weight.quantized).toThrow(
      expect.objectContaining({ code: 'IFT_PARAMETER_UNASSIGNED' }),
    )
    check()
  })

  it('is exchanged with no other parameter, and keeps what it holds', () => {
    const check = assertNoLeaks(backend)
    const held = () => {
      const parameter = new QuantizedParameter([32, 64], format)
      parameter.assign(random(backend, parameter.shape, 'normal', { seed: 1 }))
      return parameter
    }
    const plain = new Parameter([32, 64])
    plain.assign(random(backend, plain.shape, 'normal', { seed: 2 }))
    const empty = new QuantizedParameter([32, 64], format)
    const [quantized, another] = [held(), held()]
    const before = [quantized.quantized, another.quantized, plain.value]
    const pairs: readonly (readonly [Parameter, Parameter])[] = [
      ...([plain, another, empty, new Parameter([32, 64])] as const).map((one) => [quantized, one] as const),
      ...([plain, empty, new Parameter([32, 64])] as const).map((one) => [one, quantized] as const),
      [plain, empty],
    ]
    for (const [one, other] of pairs)
      expect(() => {
        one.exchange(other)
      }).toThrow(expect.objectContaining({ code: 'IFT_QUANTIZED' }))
    expect(() => quantized.setAside()).toThrow(expect.objectContaining({ code: 'IFT_QUANTIZED' }))
    expect([quantized.quantized, another.quantized, plain.value]).toEqual(before)
    expect(empty.isAssigned).toBe(false)
    for (const parameter of [quantized, another, plain]) parameter.release()
    check()
  })

  it('a layer that has weights gives them up', async () => {
    const check = assertNoLeaks(backend)
    const model = new Two()
    for (const [i, [, parameter]] of [...model.namedParameters()].entries())
      parameter.assign(random(backend, parameter.shape, 'normal', { seed: i }))
    quantizeLinears(model, format)
    const y = scope(() => model.call(random(backend, [20, 64], 'normal', { seed: 5 })))
    expect((await y.read()).every(Number.isFinite)).toBe(true)
    y.release()
    model.release()
    check()
  })
})
