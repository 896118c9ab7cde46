// A sequence gets the same bits alone, beside others and in pieces: the logits of its prompt and of the tokens behind it.
import { basename } from 'node:path'
import { openAdapter } from '@ift/core'
import { AdapterSet } from '@ift/core/peft'
import { Decoder } from '@ift/core/testing'
import { lora } from '@ift/peft-lora'
import { quantizeLinears, type CausalLM, type FloatDType, type QuantFormat } from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { fixture } from '../fixture/files.js'
import { allDefinitions, definitionOf, withTiny, type TinyModel } from '../fixture/models.js'

const definitions = await allDefinitions()

interface Kind {
  readonly dtype: FloatDType
  readonly quantize?: QuantFormat
}

const kinds: readonly Kind[] = [
  { dtype: 'f32' },
  { dtype: 'bf16' },
  { dtype: 'f32', quantize: 'nf4' },
  { dtype: 'bf16', quantize: 'nf4' },
  { dtype: 'f32', quantize: 'int8' },
  { dtype: 'bf16', quantize: 'int8' },
]

/** With grouped heads, ALiBi, one key head, biases. */
const folders = ['llama-tiny', 'bloom/heads-6', 'gemma/gemma', 'qwen/qwen2']
const adapters: Readonly<Record<string, readonly string[]>> = {
  'llama-tiny': ['peft-lora/lora', 'peft-lora/rslora'],
  'bloom/heads-6': ['bloom/lora'],
}

const length = 52
const tokens = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((i * 37 + seed * 101) % 40))
const prompt = tokens(length, 1)

/** Logits of the prompt and of two tokens behind it. */
type Bits = Buffer[]

/** Feeds the prompt in pieces, and then two tokens, each time beside the next tokens of other sequences. */
async function bitsOf(
  decoder: Decoder,
  piece: number,
  others: readonly (string | null)[],
  own: string | null,
): Promise<Bits> {
  const beside = others.map((adapter) => decoder.add(adapter))
  const sequence = decoder.add(own)
  const bits: Bits = []
  const feed = async (ids: readonly number[], fresh: boolean, keep: boolean) => {
    // In the middle: before and behind it are rows of others.
    const half = beside.length >> 1
    const more = beside.map((one, i) => ({ sequence: one, ids: fresh ? tokens(4 + 3 * i, i + 5) : [5 + i] }))
    const logits = decoder.feed([...more.slice(0, half), { sequence, ids }, ...more.slice(half)])
    if (keep) bits.push(Buffer.from((await logits.row(half)).slice().buffer))
    logits.release()
  }
  for (let at = 0; at < length; at += piece)
    await feed(prompt.slice(at, at + piece), at === 0, at + piece >= length)
  await feed([7], false, true)
  await feed([11], false, true)
  for (const one of [...beside, sequence]) decoder.remove(one)
  return bits
}

async function expectSameBits(decoder: Decoder, names: readonly (string | null)[]): Promise<void> {
  for (const own of names) {
    const alone = await bitsOf(decoder, length, [], own)
    for (const piece of [1, 8, 16, 48])
      expect(await bitsOf(decoder, piece, [], own), `${own}: pieces of ${piece}`).toEqual(alone)
    for (const count of [1, 3, 7, 15]) {
      const others = Array.from({ length: count }, (_, i) => names[i % names.length]!)
      expect(await bitsOf(decoder, length, others, own), `${own}: beside ${count}`).toEqual(alone)
    }
    expect(await bitsOf(decoder, 16, [...names, ...names], own), `${own}: in pieces, beside others`).toEqual(
      alone,
    )
  }
}

const name = ({ dtype, quantize }: Kind) => (quantize === undefined ? dtype : `${quantize} in ${dtype}`)

describe.each(folders)('%s', (folder) => {
  test.each(kinds.map((kind) => [name(kind), kind] as const))('%s', async (_, { dtype, quantize }) => {
    const definition = definitionOf(definitions, folder)
    const prepare = (model: CausalLM) => {
      if (quantize !== undefined) quantizeLinears(model, quantize, [model.lmHead])
    }
    const use = async ({ backend, model, shape, roles }: TinyModel) => {
      const context = { definition, shape, roles, backend, dtype, seed: 1, baseModel: folder }
      const set = new AdapterSet(model, context)
      const names: (string | null)[] = [null]
      for (const dir of adapters[folder] ?? []) {
        await set.load(basename(dir), { source: await openAdapter(fixture(dir)), method: lora })
        names.push(basename(dir))
      }
      const decoder = new Decoder(backend, model, null, shape, dtype, set)
      await expectSameBits(decoder, names)
      decoder.release()
      set.release()
      expect(backend.invariantRows).toBe(false)
    }
    await withTiny(definition, folder, use, { dtype, prepare })
  })
})
