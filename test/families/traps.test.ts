import { expect, test } from 'vitest'
import type { ModelDefinition } from '@ift/core'
import { logitsOf } from '@ift/core/testing'
import { bloom } from '@ift/model-bloom'
import { chatglm, glm, residualScale } from '@ift/model-chatglm'
import { llama } from '@ift/model-llama'
import { moss } from '@ift/model-moss'
import { forwardInput, ops, tensor, type CausalLM, type Module, type Tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { openTiny } from '../fixture/models.js'

// Mistakes that a layout invites. Weights are laid out as somebody who makes the mistake would read them: the golden logits
// must tell, or the golden files prove nothing about it.

type Values = Float32Array<ArrayBuffer>
type Change = (values: Values, shape: readonly number[], path: string) => Values | undefined

/** Largest difference from the golden logits of the first sequence, with changed weights, ids before `<sop>` or modules. */
async function difference(
  path: string,
  definition: ModelDefinition,
  change: Change = () => undefined,
  promptOf?: NonNullable<CausalLM['promptOf']>,
  rebuild?: (model: CausalLM) => void,
): Promise<number> {
  const backend = referenceBackend()
  const { model } = await openTiny(backend, definition, path)
  for (const [name, parameter] of model.namedParameters()) {
    const changed = change((await parameter.value.read()) as Values, parameter.shape, name)
    if (changed) parameter.assign(tensor(backend, changed, parameter.shape))
  }
  rebuild?.(model)
  const { sequences, floats } = await readGolden(fixture(path, 'golden.safetensors'))
  const ids = sequences[0]!
  const prompt = model.promptOf && (promptOf ?? model.promptOf.bind(model))([...ids])
  const logits = await logitsOf(model, () =>
    forwardInput(backend, { ids, lengths: [ids.length], prompts: prompt && [prompt] }),
  )
  const golden = floats.get('logits')!
  model.release()
  backend.close()
  return worst(logits, golden.subarray(0, logits.length))
}

/** Rows of a matrix or a bias in another order: row i of the result is row from(i). */
const rows = (values: Values, shape: readonly number[], from: (row: number) => number): Values => {
  const width = values.length / shape[0]!
  return Float32Array.from(values, (_, i) => values[from(Math.floor(i / width)) * width + (i % width)]!)
}

const near = 1e-4
const far = 1e-2

const swapHalves: Change = (values, shape) => {
  const half = shape[0]! / 2
  return rows(values, shape, (row) => (row + half) % shape[0]!)
}
/** Rows of interleaved pairs put into two halves, head by head, or back. */
const pairsAsHalves =
  (headDim: number, turned: number): Change =>
  (values, shape) =>
    rows(values, shape, (row) => {
      const at = row % headDim
      if (at >= turned) return row
      const half = turned / 2
      return row - at + (at < half ? 2 * at : 2 * (at - half) + 1)
    })
const only =
  (pattern: RegExp, change: Change): Change =>
  (values, shape, path) =>
    pattern.test(path) ? change(values, shape, path) : undefined

const layouts: readonly (readonly [
  trap: string,
  path: string,
  definition: ModelDefinition,
  change: Change,
])[] = [
  [
    'BLOOM holds q, k and v head by head, not all queries first',
    'bloom/heads-6',
    bloom,
    only(/query_key_value/, (values, shape) => {
      const [heads, dim] = [6, shape[0]! / 18]
      return rows(values, shape, (row) => {
        const [head, part] = [Math.floor(row / (3 * dim)), Math.floor(row / dim) % 3]
        return (part * heads + head) * dim + (row % dim)
      })
    }),
  ],
  [
    'MOSS has the order q, v, k within a group',
    'moss/codegen',
    moss,
    only(/qkv_proj/, (values, shape) => {
      const part = shape[0]! / 12
      return rows(values, shape, (row) => {
        const at = Math.floor(row / part) % 3
        return at === 0 ? row : at === 1 ? row + part : row - part
      })
    }),
  ],
  [
    'MOSS has four groups of heads, not one',
    'moss/codegen',
    moss,
    only(/qkv_proj/, (values, shape) => {
      const part = shape[0]! / 12
      return rows(values, shape, (row) => {
        const [group, at] = [Math.floor(row / (3 * part)), Math.floor(row / part) % 3]
        return (at * 4 + group) * part + (row % part)
      })
    }),
  ],
  [
    'MOSS has a bias in its head',
    'moss/codegen',
    moss,
    only(/^lm_head\.bias$/, (values) => new Float32Array(values.length)),
  ],
  ['MOSS turns neighbours, not halves', 'moss/codegen', moss, only(/qkv_proj/, pairsAsHalves(6, 4))],
  [
    'ChatGLM2 has the gate before what goes up',
    'chatglm/chatglm2',
    chatglm,
    only(/dense_h_to_4h/, swapHalves),
  ],
  [
    'ChatGLM2 has all queries before the keys, not head by head',
    'chatglm/chatglm2',
    chatglm,
    only(/query_key_value/, (values, shape) => {
      const dim = 8
      // Two groups of three queries, a key and a value.
      const order = [0, 1, 2, 6, 8, 3, 4, 5, 7, 9]
      return rows(values, shape, (row) => order[Math.floor(row / dim)]! * dim + (row % dim))
    }),
  ],
  [
    'ChatGLM2 turns neighbours, not halves',
    'chatglm/chatglm2',
    chatglm,
    only(/query_key_value/, pairsAsHalves(8, 4)),
  ],
  ['GLM-4 turns neighbours, not halves', 'chatglm/glm', glm, only(/[qk]_proj/, pairsAsHalves(8, 4))],
  ['GLM-4 has the gate before what goes up', 'chatglm/glm', glm, only(/gate_up_proj/, swapHalves)],
  [
    'GLM-4-0414 norms what attention gives',
    'chatglm/glm4',
    glm,
    only(/post_self_attn_layernorm/, (values) => values.map(() => 1)),
  ],
  ['LLaMA turns halves, not neighbours', 'llama-tiny', llama, only(/[qk]_proj/, pairsAsHalves(8, 8))],
  [
    'ChatGLM-6B holds q, k and v head by head',
    'chatglm/chatglm1',
    chatglm,
    only(/query_key_value/, (values, shape) => {
      const [heads, dim] = [3, shape[0]! / 9]
      return rows(values, shape, (row) => {
        const [head, part] = [Math.floor(row / (3 * dim)), Math.floor(row / dim) % 3]
        return (part * heads + head) * dim + (row % dim)
      })
    }),
  ],
]

test.each(layouts)('%s', async (_, path, definition, change) => {
  expect(await difference(path, definition)).toBeLessThan(near)
  expect(await difference(path, definition, change)).toBeGreaterThan(far)
})

test('ChatGLM-6B reads what stands before <sop> in both directions, and its blank is the first [gMASK]', async () => {
  const path = 'chatglm/chatglm1'
  const start = 44
  const as = (at: (length: number) => { length: number; blank: number }) =>
    difference(path, chatglm, undefined, (ids) => at(Array.from(ids).indexOf(start)))
  expect(await as((length) => ({ length, blank: length - 1 }))).toBeLessThan(near)
  // Causal, <sop> in the prompt, and the blank at the start.
  expect(await as(() => ({ length: 0, blank: 0 }))).toBeGreaterThan(far)
  expect(await as((length) => ({ length: length + 1, blank: length - 1 }))).toBeGreaterThan(far)
  expect(await as((length) => ({ length, blank: 0 }))).toBeGreaterThan(far)
})

/** What a layer of ChatGLM-6B is made of. */
interface Block {
  readonly input_layernorm: Module<[x: Tensor], Tensor>
  readonly attention: Module<[x: Tensor, step: { readonly invFreq: Tensor }, residual: Tensor], Tensor>
  readonly post_attention_layernorm: Module<[x: Tensor], Tensor>
  readonly mlp: Module<[x: Tensor, residual: Tensor], Tensor>
}

/** Calls of a module go through `by`. */
function through<A extends unknown[]>(
  module: Module<A, Tensor>,
  by: NoInfer<(call: (...args: A) => Tensor, ...args: A) => Tensor>,
): void {
  const call = module.call.bind(module)
  Object.defineProperty(module, 'call', { value: (...args: A) => by(call, ...args) })
}

const inBlocks = (mistake: (block: Block, layers: number) => void) =>
  difference('chatglm/chatglm1', chatglm, undefined, undefined, ({ layers }) => {
    for (const layer of layers) mistake(layer as unknown as Block, layers.length)
  })

test('ChatGLM-6B scales its residual by the constant of 28 layers, however many it has', async () => {
  const found = await inBlocks(({ attention, mlp }, layers) => {
    const own = (residual: Tensor) => ops.scale(residual, Math.sqrt(2 * layers) / residualScale)
    through(attention, (call, x, step, residual) => call(x, step, own(residual)))
    through(mlp, (call, x, residual) => call(x, own(residual)))
  })
  expect(found).toBeGreaterThan(far)
})

test('ChatGLM-6B has what the norm gives for its residual, not what it takes', async () => {
  const found = await inBlocks(({ input_layernorm, attention, post_attention_layernorm, mlp }) => {
    let taken: Tensor
    const keep = (call: (x: Tensor) => Tensor, x: Tensor) => call((taken = x))
    through(input_layernorm, keep)
    through(post_attention_layernorm, keep)
    through(attention, (call, x, step) => call(x, step, ops.scale(taken, residualScale)))
    through(mlp, (call, x) => call(x, ops.scale(taken, residualScale)))
  })
  expect(found).toBeGreaterThan(far)
})

test('ChatGLM-6B has frequencies rounded to float16', async () => {
  const right = await inBlocks(() => undefined)
  const found = await inBlocks(({ attention }) => {
    through(attention, (call, x, step, residual) => {
      const { backend, size } = step.invFreq
      const exact = Float32Array.from({ length: size }, (_, i) => 10000 ** (-i / size))
      return call(x, { ...step, invFreq: tensor(backend, exact, [size]) }, residual)
    })
  })
  // As small as rounding to 11 bits is, and many times what f32 gives.
  expect(found).toBeGreaterThan(10 * right)
})
