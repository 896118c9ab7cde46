import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, writeAdapter, type AdapterSource } from '@ift/core'
import { lora } from '@ift/peft-lora'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { logitsOf, lossOf, withAdapter, withLora } from '../fixture/peft.js'

const scale = 2
const folder = mkdtempSync(join(tmpdir(), 'ift-start-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** aᵀ b of two [k, m] and [k, n]: what is left of factors when the signs of the components are free. */
function product(a: Float32Array, b: Float32Array, k: number): Float64Array {
  const [m, n] = [a.length / k, b.length / k]
  const out = new Float64Array(m * n)
  for (let c = 0; c < k; c++)
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i * n + j]! += a[c * m + i]! * b[c * n + j]!
  return out
}

/** [rows, cols] as [cols, rows]. */
const transposed = (values: Float32Array, cols: number) => {
  const rows = values.length / cols
  return Float32Array.from(values, (_, at) => values[(at % rows) * cols + Math.floor(at / rows)]!)
}

const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, x) => Math.max(most, Math.abs(x)), 0)

const layersOf = (names: Iterable<string>) =>
  [...names]
    .filter((name) => name.endsWith('.lora_A.weight'))
    .map((name) => name.slice(0, -'.lora_A.weight'.length))

const optionsOf = (init: 'pissa' | 'olora') => ({
  ...{ r: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj'] },
  init,
})

describe.each(['pissa', 'olora'] as const)('%s', (init) => {
  const start = fixture('peft-lora', init)
  const trained = fixture('peft-lora', `${init}-trained`)
  const options = optionsOf(init)

  test('the start is that of PEFT: products, residuals, logits, and gradients but for signs', async () => {
    const data = await readGolden(join(start, 'golden.safetensors'))
    const adapter = await openAdapter(start)
    await withLora('llama-tiny', options, async (adapted) => {
      const { model, peft } = adapted
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
      expect(await lossOf(adapted, data)).toBeCloseTo(data.floats.get('loss')![0]!, 5)
      const parameters = new Map([...peft.trainable()].map(({ name, parameter }) => [name, parameter]))
      const weights = new Map(model.namedParameters())
      for (const layer of layersOf(adapter.names())) {
        const [nameA, nameB] = [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`]
        const [a, b] = [parameters.get(nameA)!, parameters.get(nameB)!]
        const ours = { a: await a.master.read(), b: await b.master.read() }
        const theirs = { a: await adapter.read(nameA), b: await adapter.read(nameB) }
        const base = layer.replace('base_model.model.', '')
        const residual = await weights.get(`${base}.base_layer.weight`)!.value.read()
        expect(worst(residual, data.floats.get(`residual.${base}.weight`)!), layer).toBeLessThan(1e-5)
        expect(
          worst(product(transposed(ours.b, 4), ours.a, 4), product(transposed(theirs.b, 4), theirs.a, 4)),
          layer,
        ).toBeLessThan(1e-5)
        // A component with the other sign has gradients with the other sign: their products agree.
        const pairs = [
          [product(ours.a, await a.grad!.read(), 4), product(theirs.a, data.floats.get(`grad.${nameA}`)!, 4)],
          [
            product(transposed(ours.b, 4), transposed(await b.grad!.read(), 4), 4),
            product(transposed(theirs.b, 4), transposed(data.floats.get(`grad.${nameB}`)!, 4), 4),
          ],
        ] as const
        for (const [found, expected] of pairs)
          expect(worst(found, expected) / largest(expected), layer).toBeLessThan(1e-4)
        a.zeroGrad()
        b.zeroGrad()
      }
    })
  })

  test('saved it is a plain adapter of twice the rank, as PEFT converts it', async () => {
    const data = await readGolden(join(trained, 'golden.safetensors'))
    const converted = await openAdapter(join(trained, 'converted'))
    const out = join(mkdtempSync(join(folder, 'saved-')), 'adapter')
    await withAdapter(trained, async (adapted) => {
      const { peft } = adapted
      await writeAdapter(out, await peft.save())
      await peft.merge!()
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    })
    const written = await openAdapter(out)
    expect([...written.names()].sort()).toEqual([...converted.names()].sort())
    for (const [key, value] of Object.entries(written.config))
      expect(value, key).toEqual(converted.config[key])
    for (const layer of layersOf(converted.names())) {
      const parts = async (source: AdapterSource) => ({
        a: await source.read(`${layer}.lora_A.weight`),
        b: transposed(await source.read(`${layer}.lora_B.weight`), 8),
      })
      const [ours, theirs] = [await parts(written), await parts(converted)]
      // The trained half is the file's; the initial half is known but for signs.
      for (const key of ['a', 'b'] as const)
        expect(
          worst(ours[key].subarray(0, ours[key].length / 2), theirs[key].subarray(0, ours[key].length / 2)),
        ).toBe(0)
      expect(worst(product(ours.b, ours.a, 8), product(theirs.b, theirs.a, 8)), layer).toBeLessThan(1e-5)
    }
    await withAdapter(out, async (adapted) => {
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    })
  })

  test.each([
    {},
    { alphaPattern: { v_proj: 12 }, rankPattern: { v_proj: 6 } },
    { rslora: true, alphaPattern: { v_proj: 3 } },
  ])('with %o the plain form means the same', async (more) => {
    const data = await readGolden(join(start, 'golden.safetensors'))
    const out = join(mkdtempSync(join(folder, 'saved-')), 'adapter')
    let logits = new Float32Array()
    await withLora('llama-tiny', { ...options, ...more }, async (adapted) => {
      const { peft, backend } = adapted
      for (const { parameter } of peft.trainable()) {
        const values = await parameter.master.read()
        backend.write(
          parameter.master.buf,
          values.map((value, i) => value + 0.1 * Math.sin(i)),
        )
        parameter.roundFromMaster()
      }
      logits = Float32Array.from(await logitsOf(adapted, data))
      expect(worst(logits, data.floats.get('logits')!)).toBeGreaterThan(0.1)
      await writeAdapter(out, await peft.save())
    })
    await withAdapter(out, async (adapted) => {
      expect(worst(await logitsOf(adapted, data), logits)).toBeLessThan(1e-4 * scale)
    })
  })

  test('more components than there are, and weights that cannot change, are refused', async () => {
    const refused = { code: 'IFT_PEFT_OPTIONS' }
    const nothing = () => Promise.resolve()
    await expect(withLora('llama-tiny', { ...options, r: 17 }, nothing)).rejects.toMatchObject(refused)
    await expect(withLora('llama-tiny', { ...options, dora: true }, nothing)).rejects.toMatchObject(refused)
    await expect(
      withLora('llama-variants/tied-bias', { ...options, targetModules: ['lm_head'] }, nothing),
    ).rejects.toMatchObject(refused)
  })
})

test('factors of OLoRA have the signs that PEFT gives them', async () => {
  const theirs = await openAdapter(fixture('peft-lora', 'olora'))
  await withLora('llama-tiny', optionsOf('olora'), async ({ peft }) => {
    for (const { name, parameter } of peft.trainable())
      expect(worst(await parameter.master.read(), await theirs.read(name)), name).toBeLessThan(1e-5)
  })
})

test('what would be applied to the wrong base is refused', async () => {
  const plain = await openAdapter(fixture('peft-lora', 'lora'))
  const other = await openAdapter(fixture('peft-lora', 'olora'))
  await withLora('llama-tiny', optionsOf('pissa'), async ({ peft }) => {
    for (const adapter of [plain, other])
      await expect(peft.load(adapter)).rejects.toMatchObject({ code: 'IFT_ADAPTER_START' })
  })
  for (const start of ['corda', 'pissa_niter_16', 'loftq'])
    expect(() => lora.fromAdapterConfig({ ...plain.config, init_lora_weights: start })).toThrow(`"${start}"`)
})
