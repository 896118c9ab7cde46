// Which package may import which of ours.
import { dirname, join, relative, resolve } from 'node:path'
import { importsOf } from './typescript.mjs'

/** What each package may import of ours. */
export const packages = {
  'packages/tensor': [],
  'packages/kernels-cpu': ['@ift/tensor'],
  'packages/kernels-cuda': ['@ift/tensor'],
  'packages/core': ['@ift/tensor'],
  'packages/tokenizers': ['@ift/core', '@ift/tensor'],
  'packages/model-llama': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-bloom': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-moss': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-qwen': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-internlm': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-baichuan': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-chatglm': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-gemma': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/model-phi': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'packages/peft-lora': ['@ift/core', '@ift/tensor'],
  'packages/datasets/alpaca': ['@ift/core'],
  'packages/datasets/cot': ['@ift/core'],
  'packages/datasets/gsm8k': ['@ift/core'],
  'packages/cli': ['@ift/core'],
  'examples/plugin-model': ['@ift/core', '@ift/tensor', '@ift/tokenizers'],
  'examples/plugin-dataset': ['@ift/core'],
}

/**
 * The imports that a package may not have, a line each.
 * @param {string} root
 * @param {Record<string, string[]>} rules what each package may import of ours
 */
export function foreignImports(root, rules = packages) {
  const faults = []
  for (const [folder, allowed] of Object.entries(rules)) {
    const src = join(root, folder, 'src')
    for (const { file, name } of importsOf(src)) {
      const where = `${relative(root, file)} imports ${name}`
      const owner = /^(@ift\/[^/]+|ift)(\/|$)/.exec(name)?.[1]
      if (owner && !allowed.includes(owner))
        faults.push(`${where}: ${folder} may import ${allowed.join(', ') || 'nothing of ours'}`)
      const isOutside = relative(src, resolve(dirname(file), name)).startsWith('..')
      if (name.startsWith('.') && isOutside && !name.endsWith('package.json'))
        faults.push(`${where}: outside of its package`)
    }
  }
  return faults
}
