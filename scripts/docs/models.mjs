// @ts-check
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {import('@ift/core').ModelDefinition} ModelDefinition
 * @typedef {import('@ift/core/testing').GoldenErrors} GoldenErrors
 * @typedef {{ countMemory: typeof import('@ift/core').countMemory, wholeBatch: typeof import('@ift/core').wholeBatch, quantizeLinears: typeof import('@ift/tensor').quantizeLinears, defaultTargets: typeof import('@ift/core/model').defaultTargets, method: import('@ift/core').PeftMethod, optimizers: typeof import('@ift/core').builtinOptimizers }} Planner
 * @typedef {{ golden: string[], specials?: string[], config: Record<string, unknown>, sizes: Record<string, Record<string, unknown>> }} Group
 * @typedef {{ package: string, size: string, definition: ModelDefinition, json: Record<string, unknown>, golden: string[], specials: string[] }} Published
 */

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Tokens in the micro-batch that memory is planned for, and the rank of LoRA. */
const tokens = 2048
const rank = 8

/**
 * Sizes that were published, with their shapes, from fixtures/published.
 * @param {readonly ModelDefinition[]} definitions
 * @returns {Published[]}
 */
export const publishedSizes = (definitions) => {
  const dir = join(root, 'fixtures/published')
  return readdirSync(dir)
    .sort()
    .flatMap((file) =>
      /** @type {Group[]} */ (JSON.parse(readFileSync(join(dir, file), 'utf8'))).flatMap(
        ({ golden, specials = [], config, sizes }) =>
          Object.entries(sizes).map(([size, own]) => {
            const json = { ...config, ...own }
            const [architecture] = /** @type {string[]} */ (json['architectures'])
            const definition = definitions.find((one) => one.architectures.includes(String(architecture)))
            if (!definition) throw new Error(`${file}: no family knows ${architecture}`)
            return { package: basename(file, '.json'), size, definition, json, golden, specials }
          }),
      ),
    )
}

const product = (/** @type {readonly number[]} */ shape) => shape.reduce((a, b) => a * b, 1)

/**
 * Parameters of one size, and the modules that LoRA adapts.
 * @param {Published} published
 * @param {Planner} planner
 */
export const sizeOf = ({ definition, json }, { defaultTargets, method }) => {
  const config = definition.parseConfig(json)
  const shapes = [...definition.build(config).namedParameters()].map(([, { shape }]) => shape)
  return {
    parameters: shapes.reduce((sum, shape) => sum + product(shape), 0),
    targets: defaultTargets(method, { definition, roles: definition.roles(config) }),
  }
}

/**
 * Planned bytes of one size, with all activations kept and with all recomputed.
 * @param {Published} published
 * @param {Planner} planner
 * @param {'none' | 'nf4'} quantize
 */
export const memoryOf = async (
  published,
  { countMemory, quantizeLinears, wholeBatch, optimizers, method },
  quantize,
) => {
  const { definition: family, json } = published
  const adamw = optimizers.find(({ name }) => name === 'adamw')
  if (!adamw) throw new Error('There is no AdamW.')
  const config = family.parseConfig(json)
  const shape = family.shape(config)
  const dtype = /** @type {const} */ ('bf16')
  const run = {
    ...{ device: 'cpu', dtype },
    optimizer: { definition: adamw, options: adamw.options.parse({}), weightDecay: 0, clipNorm: 1 },
    batch: wholeBatch(Math.min(tokens, shape.maxPositions ?? tokens), shape.bidirectionalPrompt),
    build() {
      const model = family.build(config)
      if (quantize !== 'none') quantizeLinears(model, quantize, [model.lmHead])
      return model
    },
    /** @param {import('@ift/tensor').CausalLM} model @param {import('@ift/tensor').Backend} backend */
    async attach(model, backend) {
      const roles = family.roles(config)
      const context = { definition: family, shape, roles, backend, dtype, seed: 1, baseModel: '' }
      const peft = await method.attach(model, method.options.parse({ r: rank }), context)
      return { peft, trainable: [...peft.trainable()] }
    },
  }
  const totals = []
  for (const recomputeLayers of [0, shape.layers])
    totals.push((await countMemory({ ...run, recomputeLayers })).peak)
  return totals
}

/** The template of a checkpoint without one of its own. */
const templateOf = (/** @type {Published} */ { definition, json, specials }) => {
  const tokenizer = /** @type {import('@ift/core').Tokenizer} */ (
    /** @type {unknown} */ ({ specials: new Map(specials.map((text, id) => [text, id])) })
  )
  return definition.templateOf?.({ json, generation: {}, tokenizer, names: [] }) ?? definition.template
}

/** @param {readonly Published[]} published */
const recipes = (published) => {
  const definitions = new Set(published.map(({ definition }) => definition))
  return [...definitions]
    .filter(({ recipe }) => recipe)
    .map(({ name, recipe }) => {
      const train = Object.entries(recipe?.train ?? {}).map(([key, value]) => `\`train.${key}: ${value}\``)
      const peft = Object.entries(recipe?.peft ?? {}).map(
        ([method, options]) =>
          `${method}: ${Object.entries(options)
            .map(([key, value]) => `\`peft.${key}: ${value}\``)
            .join(' ')}`,
      )
      return `| \`${name}\` | ${[...train, ...peft].join(', ')} |`
    })
    .join('\n')
}

const gib = (/** @type {number} */ bytes) => {
  const value = bytes / 2 ** 30
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}

const scientific = (/** @type {number} */ value) => value.toExponential(1)

/**
 * @param {readonly Published[]} published
 * @param {Planner} planner
 * @param {ReadonlyMap<string, GoldenErrors>} errors by golden folder
 */
export const modelsPage = async (published, planner, errors) => {
  const rows = []
  for (const one of published) {
    const { parameters, targets } = sizeOf(one, planner)
    const bf16 = await memoryOf(one, planner, 'none')
    const nf4 = await memoryOf(one, planner, 'nf4')
    const of = one.golden.map((golden) => {
      const found = errors.get(golden)
      if (!found) throw new Error(`${golden} was not measured`)
      return found
    })
    const worst = (/** @type {'logits' | 'gradients'} */ kind) =>
      scientific(Math.max(...of.map((error) => error[kind])))
    rows.push([
      one.size,
      `\`${one.package}\``,
      parameters.toLocaleString('en-US'),
      worst('logits'),
      worst('gradients'),
      bf16.map(gib).join(' / '),
      nf4.map(gib).join(' / '),
      `\`${templateOf(one)}\``,
      targets.map((target) => `\`${target}\``).join(' '),
    ])
  }
  return `# Models

Which package runs a model, what it needs, and how close it is to its reference. How to load one: [real-models.md](real-models.md).

## Sizes

Every size whose published shape is in \`fixtures/published\`, one row each.

* **parameters**: counted in the modules that \`config.json\` makes.
* **logits**, **gradients**: largest difference from the reference implementation (transformers, or a module in
  \`scripts/reference\` where it lacks the family), in f32 on the CPU, over the tiny models in \`fixtures\` that have the parts of
  this size: logits relative to 1 + |logit|, gradients of every parameter relative to the largest element of each.
* **LoRA bf16**, **LoRA NF4**: planned GiB for rank ${rank} on the default targets and a micro-batch of ${tokens} tokens (or the
  model's limit, where that is less): with all activations kept / recomputed. NF4: the
  matrices of the decoder layers in 4 bits with their scales, everything else as in bf16. \`npx ift plan\` counts the same way for a config.
* **template**: used when the checkpoint has no chat template.
* **targets**: modules that LoRA adapts when \`targetModules\` is not set.

Made by \`npm run build && node scripts/models.mjs\`; a test compares it with what the sources give.

| model | package | parameters | logits | gradients | LoRA bf16 | LoRA NF4 | template | targets |
|---|---|--:|--:|--:|--:|--:|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

Not supported, and refused by name: Gemma 2 (soft-capped scores and logits); text beyond a sliding window (Mistral v0.1,
Phi-3-mini, Gemma 3); mixtures of experts; multimodal models; GPTQ and int4 releases; the first release of ChatGLM-6B, with
150,528 rows.

## GGUF

A GGUF file is read where llama.cpp has an architecture for the family, with its tokenizer and chat template, alone or in parts
(\`-00001-of-00003.gguf\`: name any of them). Files beside it, such as tokenizer.json, win over what is inside.

| \`general.architecture\` | package | |
|---|---|---|
| \`llama\` | \`llama\` | LLaMA, TinyLlama, SmolLM2, Mistral, InternLM of the first generation |
| \`qwen2\`, \`qwen3\` | \`qwen\` | |
| \`baichuan\` | \`baichuan\` | 40 layers: ALiBi |
| \`bloom\` | \`bloom\` | |
| \`chatglm\`, \`glm4\` | \`chatglm\` | ChatGLM2, ChatGLM3, GLM-4, GLM-4-0414 |
| \`gemma\`, \`gemma3\` | \`gemma\` | |
| \`internlm2\` | \`internlm2\` | |
| \`phi3\` | \`phi\` | Phi-3, Phi-3.5, Phi-4 |

ChatGLM-6B, MOSS, CodeGen and GPT-J have none that llama.cpp runs: use their safetensors or \`.bin\`.

Types: F32, F16, BF16, F64; Q4_0, Q4_1, Q5_0, Q5_1, Q8_0; Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K; IQ4_NL, IQ4_XS. Their values are bit for bit those of ggml. On a CPU,
matrices of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K and IQ4_NL stay in their blocks ([real models](real-models.md#blocks-as-they-lie)); others, and
all on a GPU, are written out in the type of the run (\`dtype\`). IQ3 and smaller, TQ, MXFP4 and NVFP4 are refused by name: take a Q4_K_M, Q8_0, F16
or BF16 file of the model.

## Recipes

Values that the original platform trained a family with, where they differ from the defaults of the options. A run uses them unless the
config sets these options. \`npx ift plan\` and the manifest of a run name the values in use. Options of a method are used together, or
not at all when the config sets one of them.

| family | values |
|---|---|
${recipes(published)}
`
}
