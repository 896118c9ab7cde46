import { tmpdir } from 'node:os'
import { performance } from 'node:perf_hooks'

import { Ift } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { devicePlugin, type DeviceName } from './device.js'

/** Greedy decoding of `tokens` tokens for one and for several prompts at once: tokens a second. */
export async function decode(
  device: DeviceName,
  weights: string,
  tokens: number,
  batch: number,
): Promise<object> {
  const { plugin, device: name } = devicePlugin(device)
  const ift = await Ift.load({
    cwd: tmpdir(),
    config: { weights, device: name, dtype: 'bf16', template: 'alpaca' },
    plugins: [llama, plugin],
  })
  try {
    const generator = await ift.createGenerator(undefined, { maxSequences: batch })
    const options = { maxNewTokens: tokens, minNewTokens: tokens }
    const results: object[] = []
    for (const count of batch === 1 ? [1] : [1, batch]) {
      const prompts = Array.from({ length: count }, (_, i) => `Number ${i}`)
      await generator.generateAll(prompts, { maxNewTokens: 4, minNewTokens: 4 }, { batch: count })
      const begin = performance.now()
      const generations = await generator.generateAll(prompts, options, { batch: count })
      const seconds = (performance.now() - begin) / 1000
      const made = generations.reduce((sum, { ids }) => sum + ids.length, 0)
      results.push({
        batch: count,
        tokens: made,
        tokensPerS: Number((made / seconds).toFixed(1)),
        msPerStep: Number(((1000 * seconds) / tokens).toFixed(2)),
      })
    }
    return { results }
  } finally {
    await ift.close()
  }
}
