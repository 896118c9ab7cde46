import { describe, expect, test } from 'vitest'
import type { ModelDefinition } from '@ift/core'
import { defaultTargets } from '@ift/core/model'
import { greedyIds, logitsOf, packedInput, TrainingSteps } from '@ift/core/testing'
import { baichuan } from '@ift/model-baichuan'
import { chatglm, glm } from '@ift/model-chatglm'
import { gemma, gemma3 } from '@ift/model-gemma'
import { internlm, internlm2 } from '@ift/model-internlm'
import { phi } from '@ift/model-phi'
import { qwen } from '@ift/model-qwen'
import { lora } from '@ift/peft-lora'
import { Embedding, Linear } from '@ift/tensor'
import { fixture, readJson } from '../fixture/files.js'
import { withTiny } from '../fixture/models.js'

const families: readonly [string, ModelDefinition][] = [
  ['qwen/qwen2', qwen],
  ['qwen/qwen2-tied', qwen],
  ['qwen/qwen3', qwen],
  ['qwen/qwen3-bias', qwen],
  ['internlm/internlm', internlm],
  ['internlm/internlm2', internlm2],
  ['internlm/internlm2-bias-linear', internlm2],
  ['baichuan/rotary', baichuan],
  ['baichuan/alibi', baichuan],
  ['baichuan/rotary-norm-head', baichuan],
  ['baichuan/alibi-norm-head', baichuan],
  ['chatglm/chatglm1', chatglm],
  ['chatglm/chatglm2', chatglm],
  ['chatglm/chatglm3-long', chatglm],
  ['chatglm/glm', glm],
  ['chatglm/glm-parameters', glm],
  ['chatglm/glm4', glm],
  ['chatglm/glm4-plain', glm],
  ['qwen/qwen2-yarn', qwen],
  ['gemma/gemma', gemma],
  ['gemma/gemma-bias', gemma],
  ['gemma/gemma3', gemma3],
  ['gemma/gemma3-parameters', gemma3],
  ['phi/plain', phi],
  ['phi/grouped', phi],
]

/** Trains LoRA on some targets for a few steps, and merges it. */
const learnsAndMerges = (
  path: string,
  definition: ModelDefinition,
  chosen?: readonly string[],
): Promise<void> =>
  withTiny(definition, path, async ({ model, backend, shape, roles }) => {
    const targetModules = chosen ?? defaultTargets(lora, { definition, roles })
    const peft = await lora.attach(model, lora.options.parse({ r: 4, alpha: 8, targetModules: chosen }), {
      definition,
      shape,
      roles,
      backend,
      dtype: 'f32',
      seed: 1,
      baseModel: path,
    })
    const adapted = (name: string) => targetModules.some((target) => name.endsWith(`.${target}`))
    const paths = [...model.namedModules()].map(([name]) => name).filter(adapted)
    expect(paths.length).toBeGreaterThan(0)
    expect([...peft.trainable()]).toHaveLength(2 * paths.length)
    const samples = [12, 7].map((length, s) => {
      const ids = Int32Array.from({ length }, (_, i) => (i * i + 5 * i + 11 * s + 3) % shape.vocab)
      return { ids, labels: ids }
    })
    const steps = new TrainingSteps({ backend, model, peft })
    const losses: number[] = []
    for (let step = 0; step < 12; step++) {
      losses.push((await steps.backward([samples]))[0]!)
      await steps.update(0.02)
    }
    steps.release()
    expect(losses.at(-1)).toBeLessThan(0.97 * losses[0]!)

    const sequences = samples.map(({ ids }) => ids)
    const logits = () => logitsOf(model, () => packedInput(backend, model, sequences))
    const before = await logits()
    await peft.merge!()
    const merged = await logits()
    for (const [i, value] of before.entries())
      expect(Math.abs(merged[i]! - value)).toBeLessThan(1e-4 * (1 + Math.abs(value)))
    const modules = new Map(model.namedModules())
    for (const name of paths) expect([Linear, Embedding]).toContain(modules.get(name)!.constructor)
    peft.release()
  })

describe.each(families)('%s', (path, definition) => {
  test('continues a prompt greedily as the reference does', () =>
    withTiny(definition, path, async ({ model, backend, shape }) => {
      const { prompt, ids } = readJson(fixture(path, 'greedy.json')) as { prompt: number[]; ids: number[] }
      expect(await greedyIds(backend, model, shape, prompt, ids.length)).toEqual(ids)
    }))

  test('learns by LoRA on its default targets, and gives the same logits merged', () =>
    learnsAndMerges(path, definition))
})

// The rows of Gemma's table are scaled where they are looked up and not where it is the head.
test.each([
  ['gemma/gemma-bias', gemma],
  ['qwen/qwen3-bias', qwen],
] as const)('%s learns by LoRA on its embedding, and gives the same logits merged', (path, definition) =>
  learnsAndMerges(path, definition, ['embed_tokens']),
)
