import { describe, expect, test } from 'vitest'
import type { PeftMethod } from '@ift/core'
import { logitsOf, packedInput, wordTokenizer } from '@ift/core/testing'
import { pTuning, prefixTuning, promptTuning } from '@ift/peft-ptuning'
import { withRandom } from '@ift/tensor'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import type { Adapted } from '../fixture/peft.js'
import { adapterOf, logitsBehind, lossBehind, withMethod } from '../fixture/ptuning.js'

type Options = Readonly<Record<string, unknown>>

const data = await readGolden(fixture('llama-tiny', 'golden.safetensors'))

const rowsOf = async ({ peft }: Adapted) => (await peft.save()).tensors.get('prompt_embeddings')!.read()

const startOf = async (method: PeftMethod, base: string, options: Options) => {
  let rows: Float32Array = new Float32Array()
  await withMethod(method, base, options, async (adapted) => {
    rows = await rowsOf(adapted)
  })
  return rows
}

const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

/** Every method with an option of each of its kinds. */
const kinds: readonly (readonly [string, PeftMethod, Options])[] = [
  ['prompt-tuning', promptTuning, {}],
  ['p-tuning, MLP', pTuning, { encoderHidden: 24 }],
  ['p-tuning, LSTM', pTuning, { encoder: 'lstm', encoderHidden: 8 }],
  ['prefix-tuning', prefixTuning, {}],
  ['prefix-tuning, projected', prefixTuning, { projection: true, encoderHidden: 24 }],
]

describe('starts', () => {
  test('are drawn from the seed, N(0, 1) where PEFT has that', async () => {
    for (const [, method, options] of kinds) {
      const rows = await startOf(method, 'llama-tiny', options)
      expect(worst(await startOf(method, 'llama-tiny', options), rows)).toBe(0)
    }
    const large = { virtualTokens: 200 }
    expect(deviation(await startOf(promptTuning, 'llama-tiny', large))).toBeCloseTo(1, 1)
    expect(deviation(await startOf(prefixTuning, 'llama-tiny', large))).toBeCloseTo(1, 1)
  })

  test.each([false, true])('zero keys and values, projection %s, are no base model', async (projection) => {
    await withMethod(prefixTuning, 'llama-tiny', { init: 'zero', projection }, async (adapted) => {
      expect((await rowsOf(adapted)).every((value) => value === 0)).toBe(true)
      const behind = await logitsBehind(adapted, data.sequences)
      expect(worst(behind, data.floats.get('logits')!)).toBeGreaterThan(0.01)
    })
  })

  test('linear layers are U(±1/√in), an LSTM U(±1/√hidden)', async () => {
    await withMethod(pTuning, 'llama-tiny', { encoder: 'lstm', encoderHidden: 16 }, async ({ peft }) => {
      for (const { name, parameter } of peft.trainable()) {
        if (name.endsWith('embedding.weight')) continue
        const inputs = name.includes('lstm_head') ? 16 : 32
        const values = await parameter.value.read()
        const bound = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) * Math.sqrt(inputs)
        expect(bound, name).toBeLessThanOrEqual(1.0001)
        expect(bound, name).toBeGreaterThan(0.7)
      }
    })
  })

  test.each([
    ['llama-tiny', 1],
    // The embedding scales what it looks up; the rows start as its output.
    ['gemma/gemma3', Math.sqrt(16)],
  ])('a text of %s starts from its embeddings, bos in front, repeated to fit', async (base, scale) => {
    const tokenizer = wordTokenizer()
    const initText = [5, 6, 7].map((id) => tokenizer.token(id)!).join(' ')
    const { ids } = await tokenizer.encode(initText, { specials: true })
    const expected = [...(tokenizer.addBos ? [tokenizer.bosId!] : []), ...ids]
    const options = { init: 'text', initText, virtualTokens: 7 }
    await withMethod(promptTuning, base, options, async (adapted) => {
      const table = await adapted.model.embeddings.weight.value.read()
      const { dim } = adapted.model.embeddings
      const rows = await rowsOf(adapted)
      for (let i = 0; i < 7; i++) {
        const id = expected[i % expected.length]!
        const row = table.subarray(id * dim, (id + 1) * dim).map((value) => value * scale)
        expect(worst(rows.subarray(i * dim, (i + 1) * dim), row)).toBeLessThan(1e-6)
      }
    })
  })

  test('a sample of the vocabulary: different rows of the table', async () => {
    await withMethod(promptTuning, 'llama-tiny', { init: 'sample-vocab' }, async (adapted) => {
      const table = await adapted.model.embeddings.weight.value.read()
      const { dim, count } = adapted.model.embeddings
      const rows = await rowsOf(adapted)
      const found = Array.from({ length: 20 }, (_, i) => {
        const row = rows.subarray(i * dim, (i + 1) * dim)
        return Array.from({ length: count }, (_, id) => id).find((id) =>
          row.every((v, c) => v === table[id * dim + c]),
        )
      })
      expect(found).not.toContain(undefined)
      expect(new Set(found).size).toBeGreaterThan(10)
    })
  })
})

describe.each(kinds)('%s', (_name, method, options) => {
  test('trains in bf16 and over weights in few bits, whose rows stay f32', async () => {
    const losses: number[] = []
    for (const settings of [
      {},
      { dtype: 'bf16' as const },
      { quantize: 'nf4' as const },
      { quantize: 'int8' as const, dtype: 'bf16' as const },
    ])
      await withMethod(
        method,
        'llama-tiny',
        options,
        async (adapted) => {
          const { loss, gradients } = await lossBehind(adapted, data)
          losses.push(loss)
          for (const [name, gradient] of gradients)
            expect(
              gradient.some((value) => value !== 0),
              name,
            ).toBe(true)
          for (const { parameter } of adapted.peft.trainable()) expect(parameter.value.dtype).toBe('f32')
        },
        settings,
      )
    for (const loss of losses) expect(Math.abs(loss - losses[0]!)).toBeLessThan(0.1 * losses[0]!)
  })

  test('switched off it is the base, bit for bit, and on again itself', async () => {
    await withMethod(method, 'llama-tiny', options, async (adapted) => {
      const { model, backend, peft } = adapted
      const base = await logitsOf(model, () => packedInput(backend, model, data.sequences))
      const on = await logitsBehind(adapted, data.sequences)
      expect(worst(on, base)).toBeGreaterThan(0.1)
      peft.setEnabled(false)
      expect(worst(await logitsBehind(adapted, data.sequences), base)).toBe(0)
      peft.setEnabled(true)
      expect(worst(await logitsBehind(adapted, data.sequences), on)).toBe(0)
    })
  })

  test('cannot be merged, and says why', async () => {
    await withMethod(method, 'llama-tiny', options, ({ peft }) => {
      expect(peft.merge).toBeNull()
      expect(peft.unmergeable).toMatch(/no weight of the base can express/)
      return Promise.resolve()
    })
  })
})

test('dropout between the layers of an LSTM acts while training alone, by the key of the pass', async () => {
  const options = { encoder: 'lstm', encoderHidden: 8, encoderDropout: 0.5 }
  await withMethod(pTuning, 'llama-tiny', options, async (adapted) => {
    const at = (micro: number) =>
      withRandom({ seed: 1, step: 1, micro }, () => logitsBehind(adapted, data.sequences))
    adapted.peft.setTraining(true)
    const first = await at(0)
    expect(worst(await at(0), first)).toBe(0)
    expect(worst(await at(1), first)).toBeGreaterThan(1e-3)
    adapted.peft.setTraining(false)
    expect(worst(await at(1), await at(0))).toBe(0)
  })
})

describe("ChatGLM's own P-tuning v2", () => {
  const fields = { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3, positions_from_zero: true }
  const projection = {
    'prompt_encoder.embedding.weight': [3, 10],
    'prompt_encoder.transform.0.weight': [7, 10],
    'prompt_encoder.transform.0.bias': [7],
  }
  const using = async (
    base: string,
    more: Options,
    tensors: Readonly<Record<string, readonly number[]>>,
    use: (adapted: Adapted) => Promise<void>,
  ) => {
    const adapter = adapterOf({ ...fields, ...more }, tensors)
    const options = prefixTuning.fromAdapterConfig(adapter.config)
    await withMethod(prefixTuning, base, { ...options }, use, { adapter })
  }

  test.each(['chatglm/chatglm1', 'chatglm/chatglm2'])(
    'on %s: positions stay, and it is kept so',
    async (base) => {
      await withMethod(prefixTuning, base, { virtualTokens: 3 }, async (adapted) => {
        const width = (await rowsOf(adapted)).length / 3
        const { backend, model } = adapted
        await using(base, {}, { prompt_embeddings: [3, width] }, async ({ peft }) => {
          expect(peft.prefix).toMatchObject({ length: 3, positionsFromZero: true })
          expect((await peft.save()).config).toMatchObject({
            positions_from_zero: true,
            prefix_projection: false,
          })
        })
        expect(adapted.peft.prefix).toMatchObject({ positionsFromZero: false })
        expect(backend).toBe(model.embeddings.weight.value.backend)
        const last = {
          'prompt_encoder.transform.2.weight': [width, 7],
          'prompt_encoder.transform.2.bias': [width],
        }
        await using(base, { prefix_projection: true }, { ...projection, ...last }, async (projected) => {
          const names = [...projected.peft.trainable()].map(({ name }) => name)
          expect(names.sort()).toEqual(Object.keys({ ...projection, ...last }).sort())
          expect(projected.peft.notes).toEqual([])
          expect(await rowsOf(projected)).toHaveLength(3 * width)
        })
      })
    },
  )
})
