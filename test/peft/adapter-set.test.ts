// Several adapters over one base: what each computes in its rows of a pass is what it computes alone.
import { logitsOf as plainLogits, packedInput, type Ids } from '@ift/core/testing'
import {
  backward,
  ops,
  quantizeLinears,
  recomputeModules,
  replaceModules,
  scope,
  tensor,
  type CausalLM,
  type Tensor,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { expect, test } from 'vitest'
import { few, lengthsOf, load, logitsOf, many, withSet, type Opened } from '../fixture/adapter-set.js'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'

type Choices = readonly (string | null)[]

/** The same with an adapter for each sequence. */
const mixedLogits = (opened: Opened, adapters: Choices, outputRows?: readonly number[]) =>
  scope(() =>
    opened.set.within(opened.set.rows({ lengths: lengthsOf(opened), adapters, outputRows }), () =>
      logitsOf(opened, outputRows),
    ),
  )

/** The rows of each sequence as its adapter computes them in passes of its own. */
async function oneAtATime(opened: Opened, adapters: Choices): Promise<Float32Array> {
  const { set, model } = opened
  const vocab = model.lmHead.outFeatures
  const lengths = lengthsOf(opened)
  const result = new Float32Array(lengths.reduce((a, b) => a + b) * vocab)
  for (const name of new Set(adapters)) {
    set.use(name)
    const alone = await logitsOf(opened)
    let row = 0
    for (const [s, adapter] of adapters.entries()) {
      const [start, end] = [row * vocab, (row += lengths[s]!) * vocab]
      if (adapter === name) result.set(alone.subarray(start, end), start)
    }
  }
  set.use(null)
  return result
}

/** Largest difference over the largest value. */
const apart = (a: Float32Array, b: Float32Array): number =>
  worst(a, b) / b.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

const variants = ['lora', 'all-linear', 'rslora', 'dora', 'patterns', 'layers', 'lm-head', 'embedding']
const pairs = variants.map((a, i) => [a, variants[(i + 1) % variants.length]!] as const)

/** In blocks, scattered, with the base between them, the base nearly alone; over and over for more sequences. */
const arrangements = (a: string, b: string, { sequences }: Opened): Choices[] =>
  patternsOf(a, b).map((pattern) => sequences.map((_, s) => pattern[s % pattern.length]!))

const patternsOf = (a: string, b: string): Choices[] => [
  [a, a, b, b, b],
  [a, b, a, b, a],
  [b, null, a, null, b],
  [null, null, null, null, a],
]

test.each(pairs)('%s and %s in one pass are each alone, bit for bit', async (a, b) => {
  await withSet(
    async (opened) => {
      const before = await logitsOf(opened)
      await load(opened.set, a, b)
      for (const adapters of arrangements(a, b, opened)) {
        const found = await mixedLogits(opened, adapters)
        expect(worst(found, await oneAtATime(opened, adapters))).toBe(0)
        expect(apart(found, before)).toBeGreaterThan(1e-3)
        // Behind the attention of the last layer few rows are left, and share a product.
        const rows = [6, 9, 20, 25, 27, 50, 83]
        const wanted = await mixedLogits(opened, adapters, rows)
        expect(apart(wanted, rowsOf(found, rows, opened.model.lmHead.outFeatures))).toBeLessThan(
          orderOfSums.f32,
        )
      }
      expect(worst(await logitsOf(opened), before)).toBe(0)
    },
    // Products of the CPU's kernels add up in an order that depends on the number of rows; the reference does not.
    { backend: referenceBackend(), sequences: many },
  )
})

const rowsOf = (logits: Float32Array, rows: readonly number[], vocab: number): Float32Array =>
  Float32Array.from(rows.flatMap((row) => [...logits.subarray(row * vocab, (row + 1) * vocab)]))

test.each(pairs)('%s and %s in few rows, over one product with the frozen weights', async (a, b) => {
  await withSet(
    async (opened) => {
      await load(opened.set, a, b)
      for (const adapters of arrangements(a, b, opened))
        expect(apart(await mixedLogits(opened, adapters), await oneAtATime(opened, adapters))).toBeLessThan(
          orderOfSums.f32,
        )
    },
    { backend: referenceBackend() },
  )
})

/** The most that sums in another order, or rounded at another place, differ by, through the layers of the model. */
const orderOfSums = { f32: 2e-6, bf16: 5e-2 }

test.each([
  ['f32', 'lora', 'all-linear', undefined],
  ['f32', 'dora', 'embedding', undefined],
  ['bf16', 'lora', 'all-linear', undefined],
  ['f32', 'lora', 'all-linear', 'nf4'],
  ['bf16', 'rslora', 'patterns', 'nf4'],
  ['f32', 'lora', 'all-linear', 'int8'],
] as const)('on the CPU in %s: %s and %s, base %s', async (dtype, a, b, quantize) => {
  const prepare = (model: CausalLM) => {
    if (quantize) quantizeLinears(model, quantize, [model.lmHead])
  }
  await withSet(
    async (opened) => {
      const before = await logitsOf(opened)
      await load(opened.set, a, b)
      for (const adapters of arrangements(a, b, opened))
        expect(apart(await mixedLogits(opened, adapters), await oneAtATime(opened, adapters))).toBeLessThan(
          orderOfSums[dtype],
        )
      expect(worst(await logitsOf(opened), before)).toBe(0)
    },
    { dtype, prepare },
  )
})

test.each(['tied-lora-embedding', 'tied-lora-head', 'tied-lora-both', 'tied-head'])(
  '%s shares a pass over a tied head',
  async (variant) => {
    await withSet(
      async (opened) => {
        const before = await logitsOf(opened)
        await load(opened.set, variant, 'tied-lora-both-2')
        for (const adapters of arrangements(variant, 'tied-lora-both-2', opened))
          expect(worst(await mixedLogits(opened, adapters), await oneAtATime(opened, adapters))).toBe(0)
        expect(worst(await logitsOf(opened), before)).toBe(0)
      },
      { folder: 'llama-variants/tied-bias', backend: referenceBackend(), sequences: many },
    )
  },
)

test.each([
  ['modules-to-save', 'llama-tiny', /"modules-to-save" has trained .*embed_tokens\.weight/],
  ['bias-all', 'llama-variants/tied-bias', /"bias-all" has trained .*\.bias/],
  ['tied-embedding', 'llama-variants/tied-bias', /"tied-embedding" has trained .*embed_tokens\.weight/],
] as const)('%s is switched, and refused in a pass with others', async (variant, folder, message) => {
  await withSet(
    async (opened) => {
      const { set } = opened
      const before = await logitsOf(opened)
      const base = folder === 'llama-tiny' ? 'lora' : 'tied-lora-head'
      await load(set, variant, base)
      const golden = await readGolden(fixture('peft-lora', variant, 'golden.safetensors'))
      set.use(variant)
      const alone = await logitsOf(opened)
      expect(worst(await goldenLogits(opened, golden.sequences), golden.floats.get('logits')!)).toBeLessThan(
        1e-4,
      )
      set.use(base)
      expect(worst(await logitsOf(opened), alone)).toBeGreaterThan(1e-3)
      // For one pass, and back.
      expect(
        worst(
          await mixedLogits(
            opened,
            few.map(() => variant),
          ),
          alone,
        ),
      ).toBe(0)
      set.use(null)
      expect(worst(await logitsOf(opened), before)).toBe(0)
      expect(set.mixes(variant)).toBe(false)
      expect(() =>
        set.rows({ lengths: lengthsOf(opened), adapters: [variant, base, null, null, null] }),
      ).toThrow(
        expect.objectContaining({
          code: 'IFT_ADAPTER_MIXED',
          message: expect.stringMatching(message) as string,
        }),
      )
    },
    { folder },
  )
})

const goldenLogits = ({ backend, model }: Opened, ids: readonly Ids[]) =>
  plainLogits(model, () => packedInput(backend, model, ids))

test.each(['lora', 'lm-head', 'dora', 'embedding'])('%s learns from its rows alone', async (variant) => {
  await withSet(
    async (opened) => {
      const { set } = opened
      await load(set, variant, 'all-linear')
      const adapters = [variant, 'all-linear', null, variant, 'all-linear']
      const gradients = async (name: string) => {
        const found = new Map<string, Float32Array>()
        for (const { name: at, parameter } of set.handle(name).trainable()) {
          found.set(at, await parameter.gradient().read())
          parameter.zeroGrad()
        }
        return found
      }
      const expected = new Map<string, Map<string, Float32Array>>()
      for (const name of [variant, 'all-linear']) {
        set.use(name)
        backwardOf(
          opened,
          few.filter((_, s) => adapters[s] === name),
        )
        expected.set(name, await gradients(name))
      }
      set.use(null)
      for (const layers of ['kept', 'computed again']) {
        if (layers !== 'kept') recomputeModules(opened.model, (path) => /layers\.\d+$/.test(path))
        scope(() => {
          const rows = set.rows({ lengths: lengthsOf(opened), adapters })
          const loss = set.within(rows, () => lossOf(opened, few))
          // The backward pass comes when other rows, or none, are in use.
          backward(loss)
        })
        for (const name of [variant, 'all-linear'])
          for (const [at, gradient] of await gradients(name)) {
            const alone = expected.get(name)!.get(at)!
            expect(Math.max(...alone.map(Math.abs)), at).toBeGreaterThan(0)
            expect(apart(gradient, alone), `${name} ${at} ${layers}`).toBeLessThan(1e-5)
          }
      }
    },
    { backend: referenceBackend() },
  )
})

/** In chunks that end inside of sequences. */
function lossOf({ backend, model }: Opened, ids: readonly Ids[]): Tensor {
  const labels = ids.flatMap((one) => [...Array.from(one).slice(1), -1])
  const hidden = model.call(packedInput(backend, model, ids))
  const targets = tensor(backend, labels, [labels.length], 'i32')
  return ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale: 1, chunkRows: 5 })
}

const backwardOf = (opened: Opened, ids: readonly Ids[]) => {
  scope(() => {
    backward(lossOf(opened, ids))
  })
}

test('the base keeps its paths and parameters; what is in use is called directly', async () => {
  await withSet(async (opened) => {
    const { set, model } = opened
    const names = () => [...model.namedParameters()].map(([path]) => path)
    const modules = () => [...model.namedModules()]
    const before = [names(), modules()] as const
    await load(set, 'lora', 'all-linear')
    expect([names(), modules()]).toEqual(before)
    expect(set.names).toEqual(['lora', 'all-linear'])
    expect(() => {
      replaceModules(
        model,
        (path) => path.endsWith('q_proj'),
        (module) => module,
      )
    }).toThrow(expect.objectContaining({ code: 'IFT_ADAPTERS_HELD' }))
    // Alone in the set it is what it is without a set.
    const golden = await readGolden(fixture('peft-lora/lora/golden.safetensors'))
    set.use('lora')
    expect(worst(await goldenLogits(opened, golden.sequences), golden.floats.get('logits')!)).toBeLessThan(
      1e-4,
    )
    set.remove('lora')
    expect(set.active).toBe(null)
    set.release()
    expect([names(), modules()]).toEqual(before)
    expect(set.names).toEqual([])
  })
})
