import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Embedding,
  Linear,
  Module,
  QuantizedLinear,
  quantizeLinears,
  QuantizedTensor,
  tensor,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelDefinition } from '../contract/model.js'
import { saveModel } from './save-model.js'
import { fromMemory } from './from-memory.fixture.js'
import { writeSafetensors } from './safetensors.js'
import { openCheckpoint } from './source.js'
import { readValues } from './stored.js'
import { initializeWeights, loadWeights } from './weights.js'

/** The least model that has a head: an embedding and a projection. */
class Bigram extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly embed = new Embedding(4, 2)
  readonly proj = new Linear(2, 2)
  readonly lm_head: LinearLike

  constructor(tied: boolean) {
    super()
    this.lm_head = tied ? new TiedLinear(this.embed) : new Linear(2, 4)
  }

  get lmHead(): LinearLike {
    return this.lm_head
  }

  get embeddings(): Embedding {
    return this.embed
  }

  get layers(): readonly Module[] {
    return []
  }

  protected forward({ ids }: ForwardInput): Tensor {
    return this.proj.call(this.embed.call(ids!))
  }
}

const definition: ModelDefinition<{ tied: boolean }> = {
  name: 'bigram',
  architectures: [],
  modelTypes: [],
  parseConfig: () => ({ tied: false }),
  build: ({ tied }) => new Bigram(tied),
  shape: () => ({
    hidden: 2,
    intermediate: 2,
    layers: 0,
    heads: 1,
    kvHeads: 1,
    headDim: 2,
    vocab: 4,
    maxPositions: null,
  }),
  mapWeight: (name) => (name === 'notes' ? null : name.replace(/^transformer\./, '')),
  initialize: (path) =>
    path === 'proj.weight' ? { kind: 'constant', value: 0.5 } : { kind: 'normal', std: 0.02 },
  tokenizer: '',
  template: 'plain',
  roles: () => ({
    queryKeyValue: 'proj',
    feedForwardIn: 'proj',
    attentionOutput: 'proj',
    feedForwardOut: 'proj',
    norm: [],
    embedding: 'wte',
    head: 'head',
  }),
}

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-weights-'))
})
afterAll(() => rm(dir, { recursive: true }))

const shapes: Record<string, number[]> = {
  'embed.weight': [4, 2],
  'proj.weight': [2, 2],
  'lm_head.weight': [4, 2],
}

/** A file with these tensors, by name and shape. */
async function checkpoint(tensors: Record<string, number[]>): Promise<string> {
  const path = join(dir, 'model.safetensors')
  await writeSafetensors(
    path,
    Object.entries(tensors).map(([name, shape], i) => {
      const size = shape.reduce((a, b) => a * b, 1)
      const values = Float32Array.from({ length: size }, (_, at) => i + at / 100)
      return fromMemory(name, 'F32', shape, new Uint8Array(values.buffer))
    }),
  )
  return path
}

async function load(tensors: Record<string, number[]>, tied = false) {
  const backend = referenceBackend()
  const model = new Bigram(tied)
  const path = await checkpoint(tensors)
  await loadWeights(model, definition, { tied }, await openCheckpoint(path), { backend, dtype: 'f32' })
  return model
}

describe('loadWeights', () => {
  test('maps names and skips what the definition skips', async () => {
    const { 'embed.weight': embed, ...rest } = shapes
    const model = await load({ 'transformer.embed.weight': embed!, ...rest, notes: [3] })
    expect([...(await model.proj.weight.value.read())]).toEqual([1, 1.01, 1.02, 1.03].map(Math.fround))
  })

  test.each(['nf4', 'int8'] as const)('%s layers are made of the numbers in the file', async (format) => {
    const backend = referenceBackend()
    const model = new Bigram(false)
    expect(quantizeLinears(model, format, [model.lmHead])).toEqual(['proj'])
    const path = await checkpoint(shapes)
    await loadWeights(model, definition, { tied: false }, await openCheckpoint(path), {
      backend,
      dtype: 'bf16',
    })
    expect(model.embed.weight.value.dtype).toBe('bf16')
    const proj: unknown = model.proj
    if (!(proj instanceof QuantizedLinear)) throw new Error('it was not replaced')
    const exact = tensor(backend, [1, 1.01, 1.02, 1.03], [2, 2])
    const direct = QuantizedTensor.from(exact, format)
    expect(await proj.weight.quantized.read()).toEqual(await direct.read())
    const out = await mkdtemp(join(dir, 'saved-'))
    await saveModel(out, { model, configJson: {}, dtype: 'f32' })
    const saved = (await openCheckpoint(out)).info('proj.weight')
    expect(await readValues(saved)).toEqual(await direct.read())
    for (const t of [exact, direct]) t.release()
    model.release()
    expect(backend.memory().buffers).toBe(0)
  })

  test('ignores tables that old checkpoints carry', async () => {
    const model = await load({ ...shapes, 'layers.0.self_attn.rotary_emb.inv_freq': [4] })
    expect(model.embed.weight.isAssigned).toBe(true)
  })

  test('takes a tied head with or without a copy of the embedding', async () => {
    const { 'lm_head.weight': _, ...rest } = shapes
    expect((await load(rest, true)).embed.weight.isAssigned).toBe(true)
    expect((await load(shapes, true)).embed.weight.isAssigned).toBe(true)
  })

  test('a missing head says how to tie it', async () => {
    const { 'lm_head.weight': _, ...rest } = shapes
    await expect(load(rest)).rejects.toMatchObject({
      code: 'IFT_WEIGHTS_MISSING',
      message: expect.stringMatching(/model\.safetensors lacks 1 of 3 tensors: lm_head\.weight/) as string,
      hint: expect.stringMatching(/tie_word_embeddings/) as string,
    })
  })

  test('a tensor under a near name is suggested', async () => {
    const { 'proj.weight': proj, ...rest } = shapes
    await expect(load({ ...rest, 'prj.weight': proj! })).rejects.toMatchObject({
      code: 'IFT_WEIGHTS_MISSING',
      hint: expect.stringMatching(/Did you mean its tensor prj\.weight\?/) as string,
    })
  })

  test('a shape is named with what was expected and found', async () => {
    await expect(load({ ...shapes, 'proj.weight': [2, 3] })).rejects.toMatchObject({
      code: 'IFT_WEIGHTS_SHAPE',
      message: expect.stringMatching(/tensor proj\.weight expected \[2, 2\], found \[2, 3\]/) as string,
    })
  })

  test('a matrix stored as [in, out] is turned, and turned back in a saved model', async () => {
    const turning = { ...definition, transposed: (path: string) => path === 'proj.weight' }
    const backend = referenceBackend()
    const model = new Bigram(false)
    const source = await openCheckpoint(await checkpoint(shapes))
    await loadWeights(model, turning, { tied: false }, source, { backend, dtype: 'f32' })
    expect([...(await model.proj.weight.value.read())]).toEqual([1, 1.02, 1.01, 1.03].map(Math.fround))
    const saved = join(dir, 'turned')
    for (const dtype of ['f32', 'bf16'] as const) {
      await saveModel(saved, { model, definition: turning, configJson: {}, dtype })
      const values = await (await openCheckpoint(saved)).read('proj.weight')
      for (const [i, value] of (await source.read('proj.weight')).entries())
        expect(Math.abs(values[i]! - value)).toBeLessThan(dtype === 'f32' ? 1e-9 : 0.004)
    }
  })

  test('two tensors for one parameter are refused', async () => {
    await expect(load({ ...shapes, 'transformer.proj.weight': [2, 2] })).rejects.toThrow(
      /both are the parameter proj/,
    )
  })

  test('a file that shrinks after it was opened leaves nothing assigned', async () => {
    const backend = referenceBackend()
    const model = new Bigram(false)
    const source = await openCheckpoint(await checkpoint(shapes))
    await truncate(join(dir, 'model.safetensors'), 300)
    const loading = loadWeights(model, definition, { tied: false }, source, { backend, dtype: 'bf16' })
    await expect(loading).rejects.toMatchObject({ name: 'IftError' })
    for (const [path, parameter] of model.namedParameters()) expect(parameter.isAssigned, path).toBe(false)
    expect(backend.memory().buffers).toBe(0)
  })

  test('a GGUF file needs a family that reads it', async () => {
    const gguf = new URL('../../../../fixtures/checkpoint/gguf/mixed.gguf', import.meta.url).pathname
    const loading = loadWeights(new Bigram(false), definition, { tied: false }, await openCheckpoint(gguf), {
      backend: referenceBackend(),
      dtype: 'f32',
    })
    await expect(loading).rejects.toThrow(/the model plugin bigram reads no GGUF files/)
  })
})

describe('initializeWeights', () => {
  const start = async (seed: number, dtype: 'f32' | 'bf16' = 'f32') => {
    const backend = referenceBackend()
    const model = new Bigram(false)
    await initializeWeights(model, definition, { tied: false }, { backend, dtype, seed })
    return Promise.all([...model.namedParameters()].map(([, { value }]) => value.read()))
  }

  test('follows the definition, the seed and the path', async () => {
    const [embed, proj, head] = await start(1)
    expect([...proj!]).toEqual([0.5, 0.5, 0.5, 0.5])
    expect(await start(1)).toEqual([embed, proj, head])
    expect((await start(2))[0]).not.toEqual(embed)
    expect(head).not.toEqual(embed)
    const deviation = Math.sqrt([...embed!, ...head!].reduce((sum, x) => sum + x * x, 0) / 16)
    expect(deviation).toBeGreaterThan(0.008)
    expect(deviation).toBeLessThan(0.04)
  })

  test('rounds the same numbers to bf16', async () => {
    const [exact, rounded] = [await start(1), await start(1, 'bf16')]
    for (const [i, x] of exact[0]!.entries())
      expect(Math.abs(rounded[0]![i]! - x)).toBeLessThanOrEqual(Math.abs(x) / 256)
  })
})
