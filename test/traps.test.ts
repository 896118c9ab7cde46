import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadWeights, openCheckpoint, openSafetensors, readStored, readValues } from '@ift/core'
import type { ModelDefinition } from '@ift/core'
import { bloom } from '@ift/model-bloom'
import { chatglm, glm } from '@ift/model-chatglm'
import { llama } from '@ift/model-llama'
import { moss } from '@ift/model-moss'
import { noGrad, PackedKv, promptLayout, scope, segments, tensor, zeros, type CausalLM } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'

// Mistakes that a layout invites. Weights are laid out as somebody who makes the mistake would read them: the golden logits
// must tell, or the golden files prove nothing about it.

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

type Values = Float32Array<ArrayBuffer>
type Change = (values: Values, shape: readonly number[], path: string) => Values | undefined

/** Largest difference from the golden logits of the first sequence, with changed weights or ids before `<sop>`. */
async function difference(
  path: string,
  definition: ModelDefinition,
  change: Change = () => undefined,
  promptOf?: NonNullable<CausalLM['promptOf']>,
): Promise<number> {
  const backend = referenceBackend()
  const json = JSON.parse(readFileSync(fixture(`${path}/config.json`), 'utf8')) as Record<string, unknown>
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  await loadWeights(model, definition, config, await openCheckpoint(fixture(path)), { backend, dtype: 'f32' })
  for (const [name, parameter] of model.namedParameters()) {
    const changed = change((await parameter.value.read()) as Values, parameter.shape, name)
    if (changed) parameter.assign(tensor(backend, changed, parameter.shape))
  }
  const { tensors } = await openSafetensors(fixture(`${path}/golden.safetensors`))
  const ints = async (name: string) => {
    const bytes = await readStored(tensors.get(name)!)
    return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }
  const ids = [...(await ints('input_ids')).subarray(0, (await ints('cu_seqlens'))[1])]
  const logits = await scope(() =>
    noGrad(() => {
      const all = segments(backend, [ids.length])
      const prompt = model.promptOf && (promptOf ?? model.promptOf.bind(model))(ids)
      const hidden = model.call({
        ids: tensor(backend, ids, [ids.length], 'i32'),
        positions: tensor(
          backend,
          ids.map((_, i) => i),
          [ids.length],
          'i32',
        ),
        segments: all,
        kv: new PackedKv(all),
        maxPosition: ids.length,
        ...(prompt && { prompts: promptLayout(backend, [prompt], [ids.length]) }),
      })
      return model.lmHead.call(hidden, zeros(backend, [ids.length, model.lmHead.outFeatures], 'f32')).read()
    }),
  )
  const golden = await readValues(tensors.get('logits')!)
  model.release()
  backend.close()
  return logits.reduce((most, value, i) => Math.max(most, Math.abs(value - golden[i]!)), 0)
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
