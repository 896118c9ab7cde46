import { describe, expect, test } from 'vitest'
import type { PeftMethod } from '@ift/core'
import { ia3 } from '@ift/peft-ia3'
import { bitfit, lnTuning, trainableTokens } from '@ift/peft-parts'
import { vera } from '@ift/peft-vera'
import { random, TiedLinear } from '@ift/tensor'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { logitsOf, lossOf } from '../fixture/peft.js'

// Where a method is put by default in every family: it begins as the base, learns, and merges into what it computes.

const definitions = await allDefinitions()

const methods: readonly [name: string, method: PeftMethod, options: Readonly<Record<string, unknown>>][] = [
  ['ia3', ia3, {}],
  ['vera', vera, { r: 3 }],
  ['bitfit', bitfit, {}],
  ['ln-tuning', lnTuning, {}],
  ['trainable-tokens', trainableTokens, { tokenIndices: [5, 7, 6, 20] }],
]

describe.each([
  'baichuan/alibi-norm-head',
  'baichuan/rotary',
  'bloom/post-layernorm',
  'chatglm/chatglm1',
  'chatglm/chatglm2',
  'chatglm/glm4',
  'gemma/gemma-bias',
  'gemma/gemma3',
  'internlm/internlm',
  'internlm/internlm2',
  'llama-variants/tied-bias',
  'moss/codegen',
  'moss/gptj',
  'phi/long',
  'phi/plain',
  'qwen/qwen2-tied',
  'qwen/qwen3',
])('%s', (base) => {
  const definition = definitionOf(definitions, base)

  test.each(methods)('%s', async (_, method, options) => {
    const golden = await readGolden(fixture(base, 'golden.safetensors'))
    const biases = [...golden.floats.keys()].filter((key) => /^grad\..*\.bias$/.test(key))
    const run = withMethod(method, definition, base, options, async (adapted) => {
      const { peft, model, backend } = adapted
      peft.setEnabled(false)
      const logits = await logitsOf(adapted, golden)
      const largest = Math.max(...logits.map(Math.abs))
      peft.setEnabled(true)
      const tied = [...model.namedModules()].some(([, module]) => module instanceof TiedLinear)
      expect(worst(await logitsOf(adapted, golden), logits)).toBeLessThan(1e-4 * largest)
      await lossOf(adapted, golden)
      if (method === bitfit)
        expect(
          [...peft.trainable()].map(({ name }) => name.replace('base_model.model.', 'grad.')).sort(),
        ).toEqual(biases.sort())
      let stream = 0
      for (const { name, parameter } of peft.trainable()) {
        expect(parameter.grad, name).not.toBeNull()
        parameter.zeroGrad()
        const { master } = parameter
        const noise = random(backend, master.shape, 'normal', { seed: 4, stream: ++stream })
        backend.axpby(master.buf, 1, master.buf, 0.3, noise.buf, master.size, 'f32')
        noise.release()
      }
      const moved = await logitsOf(adapted, golden)
      expect(worst(moved, logits)).toBeGreaterThan(0.01)
      peft.setEnabled(false)
      expect(worst(await logitsOf(adapted, golden), logits)).toBe(0)
      peft.setEnabled(true)
      await peft.merge!()
      expect(worst(await logitsOf(adapted, golden), moved)).toBeLessThan(1e-4 * largest)
      // What was one table is one still.
      if (tied)
        expect([...model.namedModules()].some(([, module]) => module instanceof TiedLinear)).toBe(true)
    })
    if (method !== bitfit || biases.length) await run
    else await expect(run).rejects.toThrow(/bitfit trains biases, and this model \(.*\) has none/)
  })
})
