// A method that cannot be put on a model: nothing of it is held, whatever there was no memory for, and the model has its own values.
import type { PeftMethod } from '@ift/core'
import { MemoryAdapter } from '@ift/core/peft'
import { llama } from '@ift/model-llama'
import { lora } from '@ift/peft-lora'
import { bitfit, trainableTokens } from '@ift/peft-parts'
import { vera } from '@ift/peft-vera'
import { IftError, quantizeLinears, type FloatDType, type QuantFormat } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { expect, test } from 'vitest'
import { few, logitsOf, withSet, type Opened } from '../fixture/adapter-set.js'
import { worst } from '../fixture/golden.js'
import { openTiny } from '../fixture/models.js'

const tied = 'llama-variants/tied-bias'

/** A backend of which the allocation `at`, counted from 1, fails. */
function failing() {
  const backend = referenceBackend()
  const alloc = backend.alloc.bind(backend)
  const state = { calls: 0, at: Infinity }
  backend.alloc = (bytes) => {
    if (++state.calls === state.at) throw new IftError('IFT_OUT_OF_MEMORY', 'no memory')
    return alloc(bytes)
  }
  return { backend, state }
}

const contextOf = (opened: Pick<Opened, 'backend' | 'shape' | 'roles'>, dtype: FloatDType, base: string) => ({
  ...{ definition: llama, shape: opened.shape, roles: opened.roles, backend: opened.backend },
  ...{ dtype, seed: 1, baseModel: base },
})

const whole = { modulesToSave: ['lm_head', 'norm'], bias: 'all' }
const cases: readonly (readonly [name: string, base: string, method: PeftMethod, options: object])[] = [
  ['lora with modules and biases', tied, lora, whole],
  ['lora with a tied table', tied, lora, { modulesToSave: ['embed_tokens'], ensureWeightTying: true }],
  [
    'lora with rows of two tables',
    tied,
    lora,
    { trainableTokenIndices: { embed_tokens: [1], lm_head: [2] }, bias: 'all' },
  ],
  ['bitfit', tied, bitfit, {}],
  ['trainable tokens', tied, trainableTokens, { tokenIndices: [3, 7] }],
  ['vera', 'llama-tiny', vera, { r: 4 }],
]
const inBoth = cases.flatMap((one) => (['f32', 'bf16'] as const).map((dtype) => [...one, dtype] as const))

test.each(inBoth)('%s on %s: out of memory anywhere', async (_, base, method, options, dtype) => {
  const { backend, state } = failing()
  for (let at = 1; ; at++) {
    state.at = Infinity
    const tiny = await openTiny(backend, llama, base, { dtype })
    const own = [...tiny.model.namedParameters()].map(([, parameter]) => parameter)
    Object.assign(state, { calls: 0, at })
    const context = contextOf(tiny, dtype, base)
    const peft = await method
      .attach(tiny.model, method.options.parse(options), context)
      .catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'IFT_OUT_OF_MEMORY' })
        return null
      })
    if (peft === null) for (const parameter of own) expect(parameter.trainable).toBe(false)
    peft?.release()
    tiny.model.release()
    expect(backend.memory().buffers).toBe(0)
    if (peft === null) continue
    expect(at).toBeGreaterThan(3)
    break
  }
})

test.each(inBoth)('%s on %s: loaded beside others', async (_, folder, method, options, dtype) => {
  const { backend, state } = failing()
  await withSet(
    async (opened) => {
      const { set, model } = opened
      const made = await openTiny(backend, llama, folder, { dtype })
      const peft = await method.attach(
        made.model,
        method.options.parse(options),
        contextOf(made, dtype, folder),
      )
      const files = await peft.save()
      const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>()
      for (const [name, tensor] of files.tensors)
        tensors.set(name, { shape: tensor.shape, values: await tensor.read() })
      peft.release()
      made.model.release()
      const source = new MemoryAdapter('memory', { config: files.config, tensors })
      const logits = await logitsOf(opened)
      const before = backend.memory()
      for (let at = 1; ; at++) {
        Object.assign(state, { calls: 0, at })
        const loaded = await set.load('a', { source, method }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'IFT_OUT_OF_MEMORY' })
          return null
        })
        state.at = Infinity
        if (loaded !== null) break
        const { buffers, allocated } = backend.memory()
        expect({ at, buffers, allocated }).toEqual({
          at,
          buffers: before.buffers,
          allocated: before.allocated,
        })
        expect(set.names).toEqual([])
        for (const [, parameter] of model.namedParameters()) expect(parameter.trainable).toBe(false)
      }
      expect(worst(await logitsOf(opened), logits)).toBe(0)
    },
    { folder, dtype, backend, sequences: few.slice(0, 1) },
  )
})

test.each<[QuantFormat, string]>([
  ['nf4', 'q_proj'],
  ['nf4', 'mlp'],
  ['int8', 'model.layers.1'],
])('a module held in %s is not trained whole: %s', async (format, name) => {
  await withSet(
    async (opened) => {
      const { set, backend } = opened
      const before = backend.memory()
      const logits = await logitsOf(opened)
      const options = lora.options.parse({
        ...{ targetModules: ['v_proj', 'lm_head'], modulesToSave: ['norm', name] },
        ...{ trainableTokenIndices: { embed_tokens: [1, 2] } },
      })
      const source = new MemoryAdapter('memory', { config: { peft_type: 'LORA' }, tensors: new Map() })
      const said = expect.objectContaining({
        code: 'IFT_QUANTIZED',
        message: expect.stringMatching(
          new RegExp(`^"[\\w.]*${name}[\\w.]*" is held in ${format} and cannot be trained whole`),
        ) as string,
      }) as Error
      await expect(set.load('a', { source, method: lora, options })).rejects.toThrow(said)
      expect(backend.memory()).toMatchObject({ buffers: before.buffers, allocated: before.allocated })
      expect(worst(await logitsOf(opened), logits)).toBe(0)
    },
    {
      backend: referenceBackend(),
      prepare: (model) => void quantizeLinears(model, format, [model.lmHead]),
    },
  )
})
