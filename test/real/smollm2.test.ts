import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { writeSafetensors, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { fromMemory } from '../../packages/core/src/checkpoint/from-memory.fixture.js'
import { fixture, readJson } from '../fixture/files.js'
import { lossesOf, sessionsIn } from '../fixture/session.js'
import { realModel } from '../../scripts/real-models/cache.mjs'

// SmolLM2-135M-Instruct beside transformers and PEFT: scripts/reference/make_smollm2.py.

interface Reference {
  answers: {
    messages: { role: 'system' | 'user' | 'assistant'; content: string }[]
    prompt: number[]
    answer: number[]
    text: string
  }[]
  end: number
  lora: { r: number; alpha: number; targets: string[]; learning_rate: number }
  rows: { ids: number[]; labels: number[] }[]
  losses: number[]
}

const reference = readJson(fixture('real-models/smollm2.json')) as Reference

const weights = realModel('smollm2-135m-instruct')
const minutes = 5 * 60_000

/** Sizes of the layers that are adapted. */
const [layers, hidden, keyValue] = [30, 576, 192]

/** The adapter that the reference starts from: A by a formula, B zero. */
async function writeInitialAdapter(dir: string): Promise<void> {
  const { r, alpha, targets } = reference.lora
  mkdirSync(dir)
  writeFileSync(
    join(dir, 'adapter_config.json'),
    JSON.stringify({ peft_type: 'LORA', r, lora_alpha: alpha, lora_dropout: 0, target_modules: targets }),
  )
  const names = Array.from({ length: layers }, (_, layer) =>
    targets.map((target) => `base_model.model.model.layers.${layer}.self_attn.${target}`),
  ).flat()
  const floats = (name: string, values: Float32Array, shape: number[]) =>
    fromMemory(name, 'F32', shape, new Uint8Array(values.buffer))
  const tensors = names.sort().flatMap((name, t) => {
    const a = Float32Array.from({ length: r * hidden }, (_, i) => {
      const u = (Math.imul(i + 10007 * t, 2654435761) >>> 0) / 2 ** 32
      return (2 * u - 1) / Math.sqrt(hidden)
    })
    const out = name.endsWith('q_proj') ? hidden : keyValue
    return [
      floats(`${name}.lora_A.weight`, a, [r, hidden]),
      floats(`${name}.lora_B.weight`, new Float32Array(out * r), [out, r]),
    ]
  })
  await writeSafetensors(join(dir, 'adapter_model.safetensors'), tensors)
}

describe.skipIf(weights === null)('SmolLM2-135M-Instruct', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-smollm2-'))
  afterAll(() => {
    rmSync(dir, { recursive: true })
  })

  const session = sessionsIn(dir, [cpu, llama, lora])
  const base: IftConfig = { weights: weights!, device: 'cpu', threads: 2, dtype: 'f32' }

  test(
    'answers by its chat template as in transformers, and ends with <|im_end|>',
    { timeout: minutes },
    () =>
      session(base, async (ift) => {
        const generator = await ift.createGenerator()
        for (const { messages, prompt, answer, text } of reference.answers) {
          expect([...(await generator.encode({ messages }))]).toEqual(prompt)
          const found = await generator.generate({ messages }, { maxNewTokens: 48, doSample: false })
          expect(found.text).toBe(text)
          expect([...found.ids]).toEqual(answer.filter((id) => id !== reference.end))
          expect(found.finish).toBe('eos')
        }
      }),
  )

  test('twenty steps of LoRA lose what PEFT loses', { timeout: minutes }, async () => {
    await writeInitialAdapter(join(dir, 'initial'))
    writeFileSync(join(dir, 'rows.jsonl'), reference.rows.map((row) => JSON.stringify(row)).join('\n'))
    const config: IftConfig = {
      ...base,
      adapter: './initial',
      data: ['./rows.jsonl'],
      maxLength: 128,
      output: 'out',
      train: {
        batchSize: reference.rows.length,
        maxSteps: reference.losses.length,
        learningRate: reference.lora.learning_rate,
        schedule: 'constant',
        warmupSteps: 0,
        weightDecay: 0,
        microBatchTokens: 256,
        evalEvery: 0,
        saveEvery: 0,
      },
    }
    const losses = await session(config, async (ift) => lossesOf(await ift.createTraining()))
    expect(losses).toHaveLength(reference.losses.length)
    const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - reference.losses[i]!)))
    console.log(`SmolLM2, 20 steps of LoRA: the losses are within ${worst.toExponential(1)} of PEFT's`)
    expect(worst).toBeLessThan(1e-3)
  })
})
