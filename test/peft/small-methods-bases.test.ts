import { describe, expect, test } from 'vitest'
import { openAdapter, type PeftMethod } from '@ift/core'
import { ia3 } from '@ift/peft-ia3'
import { lora } from '@ift/peft-lora'
import { bitfit, lnTuning, trainableTokens } from '@ift/peft-parts'
import { vera } from '@ift/peft-vera'
import { Linear, quantizeLinears, QuantizedLinear, type CausalLM } from '@ift/tensor'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { logitsOf, lossOf, type Adapted } from '../fixture/peft.js'

// The methods with few parameters on bases of other types: the same learning within their rounding.

const definitions = await allDefinitions()

const adapters: readonly [folder: string, method: PeftMethod][] = [
  ['peft-ia3/biases', ia3],
  ['peft-vera/llama', vera],
  ['peft-parts/bitfit-bloom', bitfit],
  ['peft-parts/ln-bloom', lnTuning],
  ['peft-parts/tokens-tied', trainableTokens],
  ['peft-parts/tokens-gemma3', trainableTokens],
  ['peft-parts/tokens-head', trainableTokens],
  ['peft-parts/lora-tokens-apart', lora],
]

async function withLoaded(
  folder: string,
  method: PeftMethod,
  use: (adapted: Adapted) => Promise<void>,
  more: Parameters<typeof withMethod>[5] = {},
): Promise<void> {
  const adapter = await openAdapter(fixture(folder))
  const base = String(adapter.config['base_model_name_or_path'])
  const options: unknown = method.fromAdapterConfig(adapter.config)
  const run = async (adapted: Adapted) => {
    await adapted.peft.load(adapter)
    await use(adapted)
  }
  await withMethod(method, definitionOf(definitions, base), base, options, run, { adapter, ...more })
}

const relative = (found: Float32Array, expected: Float32Array) =>
  worst(found, expected) / Math.max(...expected.map(Math.abs))

describe.each(adapters)('%s', (folder, method) => {
  test('in bf16', async () => {
    const golden = await readGolden(fixture(folder, 'golden.safetensors'))
    const check = async (adapted: Adapted) => {
      const { peft, model } = adapted
      const on = await logitsOf(adapted, golden)
      expect(relative(on, golden.floats.get('logits')!)).toBeLessThan(0.06)
      const loss = golden.floats.get('loss')![0]!
      expect(Math.abs((await lossOf(adapted, golden)) / loss - 1)).toBeLessThan(0.02)
      for (const { name, parameter } of peft.trainable()) {
        const expected = golden.floats.get(`grad.${name}`)!
        const found = await parameter.grad!.read()
        expect(relative(found, expected), name).toBeLessThan(0.15)
        parameter.zeroGrad()
      }
      await peft.merge!()
      expect(relative(await logitsOf(adapted, golden), on)).toBeLessThan(0.04)
      expect([...model.namedParameters()].every(([, { value }]) => value.dtype === 'bf16')).toBe(true)
    }
    await withLoaded(folder, method, check, { dtype: 'bf16' })
  })

  test.each(['nf4', 'int8'] as const)('over %s, trained and merged into plain numbers', async (format) => {
    const golden = await readGolden(fixture(folder, 'golden.safetensors'))
    const prepare = (model: CausalLM) => void quantizeLinears(model, format, [model.lmHead])
    const check = async (adapted: Adapted) => {
      const { peft, model } = adapted
      const quantized = [...model.namedModules()].filter(([, module]) => module instanceof QuantizedLinear)
      expect(quantized.length).toBeGreaterThan(0)
      const on = await logitsOf(adapted, golden)
      await lossOf(adapted, golden)
      for (const { name, parameter } of peft.trainable()) {
        expect(
          (await parameter.grad!.read()).some((value) => value !== 0),
          name,
        ).toBe(true)
        parameter.zeroGrad()
      }
      await peft.merge!()
      const left = [...model.namedModules()].filter(([, module]) => module instanceof QuantizedLinear)
      if (method === ia3 || method === vera || method === lora) {
        expect(left.length).toBeLessThan(quantized.length)
        expect([...model.namedModules()].some(([, module]) => module instanceof Linear)).toBe(true)
      } else expect(left).toHaveLength(quantized.length)
      expect(relative(await logitsOf(adapted, golden), on)).toBeLessThan(1e-4)
    }
    await withLoaded(folder, method, check, { prepare })
  })
})
