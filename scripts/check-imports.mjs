// The dependency rule of ARCHITECTURE.md: which package, and which folder of core and tensor, may import which.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What each package may import of ours; a name ending in /* stands for all that begin so. */
const packages = {
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

/** Folders and files in the `src` of a package, from the lowest up: a file imports from its own folder and from lower ones. */
const layers = {
  'packages/tensor/src': [
    'errors',
    'dtype',
    'quantization',
    'backend',
    'tensor',
    'ops',
    'nn',
    'reference',
    'native',
    'testing',
    'index',
  ],
  'packages/core/src': [
    'suggest',
    'version',
    'contract',
    'files',
    'model',
    'source',
    'checkpoint',
    'data',
    'generate',
    'distributed',
    'config',
    'plugin',
    'train',
    'session',
    'ift',
    'testing',
    'index',
  ],
  'packages/cli/src': ['version', 'ui', 'commands', 'seed-flags', 'overrides', 'main', 'index'],
}

const sources = (dir) =>
  readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && /\.ts$/.test(entry.name) && !/\.(test|fixture)\.ts$/.test(entry.name),
    )
    .map((entry) => join(entry.parentPath, entry.name))

/** The folder of `src` that a file lies in, or the file itself. */
const place = (src, file) =>
  relative(src, file)
    .split(/[\\/]/)[0]
    .replace(/\.[jt]s$/, '')

const faults = []
for (const [folder, allowed] of Object.entries(packages)) {
  const src = join(root, folder, 'src')
  for (const file of sources(src)) {
    const inside = place(src, file)
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      const where = `${relative(root, file)} imports ${name}`
      const owner = /^(@ift\/[^/]+|ift)(\/|$)/.exec(name)?.[1]
      if (owner && !allowed.includes(owner))
        faults.push(`${where}: ${folder} may import ${allowed.join(', ') || 'nothing of ours'}`)
      if (!name.startsWith('.')) continue
      const target = resolve(dirname(file), name)
      if (relative(src, target).startsWith('..') && !name.endsWith('package.json'))
        faults.push(`${where}: outside of its package`)
      const order = layers[`${folder}/src`]
      const [from, to] = [order?.indexOf(inside) ?? -1, order?.indexOf(place(src, target)) ?? -1]
      if (order && (from < 0 || to < 0))
        faults.push(
          `${where}: the layers of ${folder} name ${from < 0 ? inside : place(src, target)} nowhere`,
        )
      else if (to > from) faults.push(`${where}: ${inside} lies below ${order[to]}`)
    }
  }
}
for (const fault of faults) console.error(fault)
if (faults.length) process.exit(1)
console.log('imports follow the rule')
