import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PeftMethod } from '@ift/core'
import { bottleneck, houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import type { Parameter } from '@ift/tensor'
import { fixture } from '../fixture/files.js'
import { readGolden, worst, type Golden } from '../fixture/golden.js'
import { withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { logitsOf, lossOf, type Adapted } from '../fixture/peft.js'

const definitions = await allDefinitions()

const folders = [
  ...['baichuan/alibi', 'baichuan/rotary', 'baichuan/rotary-norm-head', 'bloom/tiny', 'bloom/post-layernorm'],
  ...['chatglm/chatglm1', 'chatglm/chatglm2', 'chatglm/glm', 'chatglm/glm4', 'gemma/gemma', 'gemma/gemma3'],
  ...['internlm/internlm', 'internlm/internlm2', 'llama-tiny', 'moss/codegen', 'moss/gptj', 'phi/plain'],
  ...['qwen/qwen2', 'qwen/qwen3'],
]
/** Their layers norm what a sublayer gives before they add it, and hand the residual to no linear layer. */
const normsBehind = ['chatglm/glm4', 'gemma/gemma3']

// Functions without an edge, which a difference would step over.
const kinds: readonly (readonly [name: string, method: PeftMethod, options: object])[] = [
  ['houlsby', houlsby, { reductionFactor: 4 }],
  ['sum', houlsby, { reductionFactor: 4, originalLnBefore: true, lnAfter: true }],
  ['pfeiffer', pfeiffer, { reductionFactor: 4, scaling: 'learned', nonLinearity: 'quick_gelu' }],
  ['parallel', parallel, { mhAdapter: true, lnBefore: true, nonLinearity: 'gelu' }],
  ['bottleneck', bottleneck, { bottleneckSize: 4 }],
  ['bottleneck behind', bottleneck, { bottleneckSize: 4, useAdapterP: true, scaling: 'learned' }],
  ['bottleneck beside', bottleneck, { bottleneckSize: 4, useParallelAdapter: true }],
]

/** Numbers in (-1, 1) that are the same every time. */
function* numbers(): Generator<number, never> {
  for (let state = 7; ;) {
    state = (state * 48271) % 2147483647
    yield (state / 2147483647) * 2 - 1
  }
}

async function move(parameters: readonly Parameter[], by: (size: number) => Float32Array): Promise<void> {
  for (const parameter of parameters) {
    const values = await parameter.master.read()
    const step = by(values.length)
    parameter.master.backend.write(
      parameter.master.buf,
      values.map((value, i) => value + step[i]!),
    )
    parameter.roundFromMaster()
  }
}

/** The derivative of the loss along a direction, by gradients and by a difference. */
async function derivatives(adapted: Adapted, data: Golden): Promise<readonly [number, number]> {
  const { peft } = adapted
  const parameters = [...peft.trainable()].map(({ parameter }) => parameter)
  const draw = numbers()
  const directions = parameters.map(({ shape }) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.next().value),
  )
  await lossOf(adapted, data)
  let slope = 0
  for (const [i, parameter] of parameters.entries()) {
    const gradient = await parameter.grad!.read()
    expect(gradient.some((value) => value !== 0)).toBe(true)
    for (const [at, value] of gradient.entries()) slope += value * directions[i]![at]!
    parameter.zeroGrad()
  }
  const step = 1e-3
  const at = async (times: number) => {
    let next = 0
    await move(parameters, () => directions[next++]!.map((value) => times * step * value))
    const loss = await lossOf(adapted, data)
    for (const parameter of parameters) parameter.zeroGrad()
    return loss
  }
  const ahead = await at(1)
  const behind = await at(-2)
  await at(1)
  return [slope, (ahead - behind) / (2 * step)]
}

test.each(
  folders.flatMap((folder) =>
    kinds.map(([name, method, options]) => [folder, name, method, options] as const),
  ),
)('%s, %s', async (folder, name, method, options) => {
  const data = await readGolden(join(fixture(folder), 'golden.safetensors'))
  const definition = definitionOf(definitions, folder)
  const run = withMethod(method, definition, folder, options, async (adapted) => {
    const { peft } = adapted
    const draw = numbers()
    const parameters = [...peft.trainable()].map(({ parameter }) => parameter)
    await move(parameters, (size) => Float32Array.from({ length: size }, () => 0.2 * draw.next().value))
    const logits = await logitsOf(adapted, data)
    expect(worst(logits, data.floats.get('logits')!)).toBeGreaterThan(0.01)
    const alone = []
    for (const ids of data.sequences) alone.push(...(await logitsOf(adapted, { ...data, sequences: [ids] })))
    expect(worst(logits, alone)).toBeLessThan(1e-4)
    const [slope, difference] = await derivatives(adapted, data)
    expect(Math.abs(slope - difference)).toBeLessThan(0.02 * Math.abs(slope) + 2e-3)
    peft.setEnabled(false)
    expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
  })
  if (normsBehind.includes(folder) && ['sum', 'pfeiffer', 'parallel'].includes(name))
    await expect(run).rejects.toMatchObject({
      code: 'IFT_PEFT_OPTIONS',
      message: expect.stringMatching(
        /which this family adds behind a norm.*\(in .*layers\.0\.(self_attn\.o|mlp\.down)_proj\)/s,
      ) as string,
      hint: expect.stringContaining('houlsby') as string,
    })
  else await run
})
