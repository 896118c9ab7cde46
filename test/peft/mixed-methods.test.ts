// Every method that there is a package for, beside another one over one base: in a pass, in a batch that is generated, and gone.
import { Ift, type AdapterFiles, type AdapterSource, type PeftMethod } from '@ift/core'
import { Decoder, packedInput } from '@ift/core/testing'
import { AdapterSet, MemoryAdapter } from '@ift/core/peft'
import { llama } from '@ift/model-llama'
import { noGrad, scope, zeros } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { beforeAll, expect, test } from 'vitest'
import { worst } from '../fixture/golden.js'
import { pluginsOf, withTiny, type TinyModel } from '../fixture/models.js'

/** With biases, and a tied head: every method finds what it trains. */
const folder = 'llama-variants/tied-bias'

/** Options that a method cannot do without, or that make it small. */
const needed: Readonly<Record<string, object>> = {
  'prompt-tuning': { virtualTokens: 3 },
  'p-tuning': { virtualTokens: 2 },
  'prefix-tuning': { virtualTokens: 4 },
  'trainable-tokens': { tokenIndices: [2, 7, 30] },
}

const methods = new Map<string, PeftMethod>()
beforeAll(async () => {
  const plugins = await pluginsOf(/^peft-/)
  await Ift.using({ config: {}, plugins }, async (ift) => {
    for (const name of ift.hooks.peft.names()) methods.set(name, await ift.peft(name))
  })
})

const contextOf = ({ backend, shape, roles }: TinyModel, seed: number) => ({
  ...{ definition: llama, shape, roles, backend, dtype: 'f32' as const, seed, baseModel: folder },
})

/** An adapter of the method whose numbers change what the model says, on a model of its own; null where this model has none. */
async function adapterOf(method: PeftMethod, seed: number): Promise<AdapterSource> {
  let made: AdapterSource | undefined
  await withTiny(
    llama,
    folder,
    async (tiny) => {
      const options: unknown = method.options.parse(needed[method.name] ?? {})
      const handle = await method.attach(tiny.model, options, contextOf(tiny, seed))
      let at = seed
      for (const { parameter } of handle.trainable()) {
        const values = await parameter.master.read()
        for (let i = 0; i < values.length; i++) values[i]! += 0.3 * Math.sin((at += 1.7))
        tiny.backend.write(parameter.master.buf, values)
        parameter.roundFromMaster()
      }
      made = await inMemory(method.name, await handle.save())
      handle.release()
    },
    { backend: referenceBackend() },
  )
  return made!
}

async function inMemory(path: string, { config, tensors }: AdapterFiles): Promise<AdapterSource> {
  const values = new Map<string, { shape: readonly number[]; values: Float32Array }>()
  for (const [name, one] of tensors) values.set(name, { shape: one.shape, values: await one.read() })
  return new MemoryAdapter(path, { config, tensors: values })
}

const prompts = [
  [3, 17, 42, 8],
  [11, 2],
  [5, 30, 33, 12, 40, 21],
  [44, 13, 1],
]

test('there are methods to try', () => {
  expect([...methods.keys()]).toContain('lora')
})

test('each beside the next one is what it is alone', async () => {
  const names = [...methods.keys()]
  for (const [i, first] of names.entries()) {
    const second = names[(i + 1) % names.length]!
    const sources = [await adapterOf(methods.get(first)!, 1), await adapterOf(methods.get(second)!, 2)]
    await withTiny(
      llama,
      folder,
      async (tiny) => {
        const { backend, model, shape } = tiny
        const set = new AdapterSet(model, contextOf(tiny, 0))
        const plain = () =>
          scope(() =>
            noGrad(() => {
              const hidden = model.call(packedInput(backend, model, prompts))
              return model.lmHead
                .call(hidden, zeros(backend, [hidden.dim(0), model.lmHead.outFeatures], 'f32'))
                .read()
            }),
          )
        const base = await plain()
        await set.load('a', { source: sources[0]!, method: methods.get(first)! })
        await set.load('b', { source: sources[1]!, method: methods.get(second)! })
        expect(worst(await plain(), base), `${first}, ${second}: base`).toBe(0)
        const decoder = new Decoder(backend, model, null, shape, 'f32', set)
        /** Scores after two tokens more. */
        const scores = async (which: readonly number[], adapters: readonly (string | null)[]) => {
          const sequences = which.map((p) => decoder.add(adapters[p]))
          decoder.feed(which.map((p, s) => ({ sequence: sequences[s]!, ids: prompts[p]! }))).release()
          const last = decoder.feed(which.map((p, s) => ({ sequence: sequences[s]!, ids: [p + 1, 9] })))
          const rows = await last.rows()
          last.release()
          for (const sequence of sequences) decoder.remove(sequence)
          return rows
        }
        for (const adapters of [
          ['a', 'b', 'a', null],
          [null, 'b', 'b', 'a'],
        ]) {
          const together = await scores([0, 1, 2, 3], adapters)
          for (const [p, row] of together.entries()) {
            const [alone] = await scores([p], adapters)
            const most = Math.max(...alone!.map(Math.abs))
            expect(worst(row, alone!) / most, `${first}, ${second}: ${adapters[p]}`).toBeLessThan(2e-6)
            const [without] = await scores(
              [p],
              prompts.map(() => null),
            )
            if (adapters[p] !== null)
              expect(
                worst(row, without!),
                `${adapters[p] === 'a' ? first : second} does something`,
              ).toBeGreaterThan(1e-3)
          }
        }
        decoder.release()
        set.release()
        expect(worst(await plain(), base), `${first}, ${second}: base again`).toBe(0)
      },
      { backend: referenceBackend() },
    )
  }
}, 120_000)
