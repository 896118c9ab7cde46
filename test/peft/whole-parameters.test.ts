// Parameters of the model that adapters train: what was learned is there whatever is in use, and each adapter has its own.
import type { AdapterFiles, AdapterSource, PeftHandle, PeftMethod } from '@ift/core'
import { AdapterSet, MemoryAdapter, type AdapterToLoad } from '@ift/core/peft'
import { llama } from '@ift/model-llama'
import { lora } from '@ift/peft-lora'
import { bitfit, lnTuning } from '@ift/peft-parts'
import type { FloatDType } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { expect, test } from 'vitest'
import { few, logitsOf, withSet, type Opened } from '../fixture/adapter-set.js'
import { worst } from '../fixture/golden.js'

const folder = 'llama-variants/tied-bias'

async function valuesOf({ tensors }: AdapterFiles): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>()
  for (const [name, tensor] of tensors) values.set(name, await tensor.read())
  return values
}

const saved = async (peft: PeftHandle) => valuesOf(await peft.save())

/** Values that bf16 would round. */
async function train(peft: PeftHandle, by: number): Promise<void> {
  for (const { parameter } of peft.trainable()) {
    const values = await parameter.master.read()
    const moved = values.map((x, i) => x + by * (1 + (i % 7) / 1000))
    parameter.master.backend.write(parameter.master.buf, moved)
    parameter.roundFromMaster()
  }
}

async function inMemory(peft: PeftHandle): Promise<AdapterSource> {
  const { config, tensors } = await peft.save()
  const values = new Map<string, { shape: readonly number[]; values: Float32Array }>()
  for (const [name, tensor] of tensors) values.set(name, { shape: tensor.shape, values: await tensor.read() })
  return new MemoryAdapter('memory', { config, tensors: values })
}

const methods: readonly (readonly [name: string, method: PeftMethod, options: object])[] = [
  ['bitfit', bitfit, {}],
  ['ln-tuning', lnTuning, {}],
  ['lora with biases', lora, { bias: 'all', dropout: 0 }],
  ['lora with a head', lora, { modulesToSave: ['lm_head'], dropout: 0 }],
  ['lora with a tied table', lora, { modulesToSave: ['embed_tokens'], ensureWeightTying: true, dropout: 0 }],
]
const dtypes: readonly FloatDType[] = ['f32', 'bf16']
const cases = methods.flatMap(([name, method, options]) =>
  dtypes.map((dtype) => [name, dtype, method, options] as const),
)

test.each(cases)(
  '%s in %s: saved, loaded and trained alike on and off',
  async (_, dtype, method, options) => {
    await withSet(
      async (opened) => {
        const { model, backend, shape, roles } = opened
        const context = { definition: llama, shape, roles, backend, dtype, seed: 1, baseModel: folder }
        const before = await logitsOf(opened)
        const peft = await method.attach(model, method.options.parse(options), context)
        await train(peft, 0.02)
        const source = await inMemory(peft)
        const [on, logits] = [await saved(peft), await logitsOf(opened)]
        expect(worst(logits, before)).toBeGreaterThan(1e-3)
        const files = await peft.save()
        peft.setEnabled(false)
        // What was saved while it was on, and what is saved now.
        expect(await valuesOf(files)).toEqual(on)
        expect(await saved(peft)).toEqual(on)
        expect(worst(await logitsOf(opened), before)).toBe(0)
        peft.setEnabled(true)
        expect(worst(await logitsOf(opened), logits)).toBe(0)

        await train(peft, 0.03)
        peft.setEnabled(false)
        await peft.load(source)
        expect(worst(await logitsOf(opened), before)).toBe(0)
        peft.setEnabled(true)
        expect(await saved(peft)).toEqual(on)
        expect(worst(await logitsOf(opened), logits)).toBe(0)

        peft.setEnabled(false)
        await train(peft, 0.03)
        const trained = await saved(peft)
        expect(trained).not.toEqual(on)
        expect(worst(await logitsOf(opened), before)).toBe(0)
        peft.setEnabled(true)
        expect(await saved(peft)).toEqual(trained)
        peft.release()
      },
      { folder, dtype, backend: referenceBackend(), sequences: few },
    )
  },
)

/** Attaches a method, trains it, and loads what came out into a set. */
async function sourceOf(
  opened: Opened,
  dtype: FloatDType,
  [, method, options]: (typeof methods)[number],
  by: number,
) {
  const { model, backend, shape, roles } = opened
  const context = { definition: llama, shape, roles, backend, dtype, seed: 1, baseModel: folder }
  const set = new AdapterSet(model, context)
  const fresh: PeftMethod = {
    ...method,
    attach: async (model, options, context) =>
      Object.assign(await method.attach(model, options, { ...context, adapter: undefined }), {
        load: () => Promise.resolve(),
      }),
  }
  const empty = new MemoryAdapter('fresh', { config: {}, tensors: new Map() })
  const peft = await set.load('a', { source: empty, method: fresh, options: method.options.parse(options) })
  await train(peft, by)
  const source = await inMemory(peft)
  set.release()
  return { source, method }
}

test.each(cases)(
  '%s in %s keeps what it learned while others are loaded and removed',
  async (name, dtype) => {
    await withSet(
      async (opened) => {
        const { set, model } = opened
        const own = methods.find(([one]) => one === name)!
        const before = await logitsOf(opened)
        const a = await sourceOf(opened, dtype, own, 0.02)
        const others: AdapterToLoad[] = []
        for (const other of methods) others.push(await sourceOf(opened, dtype, other, -0.05))
        expect(worst(await logitsOf(opened), before)).toBe(0)
        const peft = await set.load('a', a)
        const learned = await saved(peft)
        set.use('a')
        const logits = await logitsOf(opened)
        expect(worst(logits, before)).toBeGreaterThan(1e-3)
        const masters = async () => {
          const found = new Map<string, Float32Array>()
          for (const { name: at, parameter } of peft.trainable()) found.set(at, await parameter.master.read())
          return found
        }
        const trained = await masters()

        for (const other of others) {
          // Some of them train the same parameters.
          const b = await set.load('b', other)
          expect(await saved(peft)).toEqual(learned)
          expect(await masters()).toEqual(trained)
          expect(worst(await logitsOf(opened), logits)).toBe(0)
          const theirs = await saved(b)
          set.use('b')
          expect(await saved(peft)).toEqual(learned)
          expect(await masters()).toEqual(trained)
          set.use('a')
          expect(await saved(b)).toEqual(theirs)
          set.remove('b')
          expect(await saved(peft)).toEqual(learned)
          expect(worst(await logitsOf(opened), logits)).toBe(0)
        }
        set.use(null)
        expect(worst(await logitsOf(opened), before)).toBe(0)
        set.remove('a')
        expect([...model.namedParameters()].filter(([, { trainable }]) => trainable)).toEqual([])
        expect(worst(await logitsOf(opened), before)).toBe(0)
      },
      { folder, dtype, backend: referenceBackend() },
    )
  },
)

/** Trains biases of the model itself, without the classes of a method of modules. */
const plain: PeftMethod = {
  ...bitfit,
  attach: async (model, options, context) => {
    const handle = await bitfit.attach(model, options as Parameters<typeof bitfit.attach>[1], context)
    const parameters = [...model.namedParameters()].flatMap(([, one]) => (one.trainable ? [one] : []))
    // As one that leaves parameters trainable when it is switched off.
    return Object.assign(handle, {
      setEnabled: () => undefined,
      trainable: () =>
        parameters.map((parameter, i) => ({ name: `${i}`, parameter, lrScale: 1, decay: false })),
    })
  },
}

const failing = (method: PeftMethod, at: 'attach' | 'load' | 'halfway'): PeftMethod => ({
  ...method,
  attach: async (...args) => {
    const handle = await method.attach(...args)
    if (at === 'attach') {
      handle.release()
      throw new Error('attach')
    }
    const whole = handle.load.bind(handle)
    const load = async (source: AdapterSource) => {
      if (at === 'halfway') await whole(source)
      throw new Error(at)
    }
    return Object.assign(handle, { load })
  },
})

test.each(
  dtypes.flatMap((dtype) => (['attach', 'load', 'halfway'] as const).map((at) => [dtype, at] as const)),
)('in %s: a load that fails (%s) leaves nothing trainable, and what others learned', async (dtype, at) => {
  await withSet(
    async (opened) => {
      const { set, model } = opened
      const trainable = () =>
        [...model.namedParameters()].flatMap(([path, parameter]) => (parameter.trainable ? [path] : []))
      const before = await logitsOf(opened)
      const sources: AdapterToLoad[] = []
      for (const own of methods) sources.push(await sourceOf(opened, dtype, own, 0.02))
      const fails = async () => {
        for (const { source, method } of sources)
          await expect(set.load('b', { source, method: failing(method, at) })).rejects.toThrow(at)
        const { source } = sources[0]!
        await expect(set.load('b', { source, method: failing(plain, at) })).rejects.toThrow(at)
      }
      await fails()
      expect(trainable()).toEqual([])
      expect(worst(await logitsOf(opened), before)).toBe(0)

      const peft = await set.load('a', sources[0]!)
      set.use('a')
      const [learned, logits, paths] = [await saved(peft), await logitsOf(opened), trainable()]
      await fails()
      expect(trainable()).toEqual(paths)
      expect(await saved(peft)).toEqual(learned)
      expect(worst(await logitsOf(opened), logits)).toBe(0)
    },
    { folder, dtype, backend: referenceBackend() },
  )
})

test('a method that leaves its parameters trainable keeps their masters too', async () => {
  await withSet(
    async (opened) => {
      const { set } = opened
      const a = await sourceOf(opened, 'bf16', methods[0]!, 0.02)
      const others: AdapterToLoad[] = []
      for (const other of methods) others.push(await sourceOf(opened, 'bf16', other, 0.05))
      const peft = await set.load('a', { ...a, method: { ...plain, fromAdapterConfig: () => ({}) } })
      const parameters = [...peft.trainable()].map(({ parameter }) => parameter)
      const masters = () => Promise.all(parameters.map((parameter) => parameter.master.read()))
      const before = await masters()
      expect(before.length).toBeGreaterThan(0)
      for (const other of others) {
        await set.load('b', other)
        expect(await masters()).toEqual(before)
        set.remove('b')
      }
    },
    { folder, dtype: 'bf16', backend: referenceBackend() },
  )
})
