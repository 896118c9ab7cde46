// @ts-check
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {import('@ift/core').ModelDefinition} ModelDefinition
 * @typedef {import('@ift/core/testing').GoldenErrors} GoldenErrors
 * @typedef {{ plan: typeof import('@ift/core').plan, quantizedSizes: typeof import('@ift/tensor').quantizedSizes, defaultTargets: typeof import('@ift/core/model').defaultTargets, method: import('@ift/core').PeftMethod }} Planner
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
 * Parameters and planned bytes of one size.
 * @param {Published} published
 * @param {Planner} planner
 */
export const sizeOf = ({ definition, json }, { plan, quantizedSizes, defaultTargets, method }) => {
  const config = definition.parseConfig(json)
  const model = definition.build(config)
  const shape = definition.shape(config)
  const targets = defaultTargets(method, { definition, roles: definition.roles(config) })
  const parameters = [...model.namedParameters()].reduce((sum, [, { shape }]) => sum + product(shape), 0)
  let [trainable, adapted] = [0, 0]
  const quantized = { elements: 0, bytes: 0, largest: 0 }
  const layers = new Set(model.layers)
  for (const layer of layers)
    for (const [path, module] of layer.namedModules()) {
      if (!('inFeatures' in module)) continue
      const { inFeatures, outFeatures } = /** @type {import('@ift/tensor').LinearLike} */ (
        /** @type {unknown} */ (module)
      )
      quantized.elements += inFeatures * outFeatures
      quantized.bytes += quantizedSizes('nf4', outFeatures, inFeatures).bytes
      quantized.largest = Math.max(quantized.largest, inFeatures * outFeatures)
      if (!targets.some((target) => path === target || path.endsWith(`.${target}`))) continue
      adapted++
      trainable += rank * (inFeatures + outFeatures)
    }
  const input = {
    shape,
    dtype: /** @type {const} */ ('bf16'),
    parameters,
    trainable,
    // Both moments of AdamW.
    optimizerState: 8 * trainable,
    method: { activationsPerToken: (adapted * rank) / shape.layers },
    tokens: Math.min(tokens, shape.maxPositions ?? tokens),
    trainedTokens: Math.min(tokens, shape.maxPositions ?? tokens),
    budget: null,
  }
  const totals = (/** @type {import('@ift/core').PlanInput} */ one) => [
    plan(one, 0).total,
    plan(one, shape.layers).total,
  ]
  return { parameters, bf16: totals(input), nf4: totals({ ...input, quantized }), targets }
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
export const modelsPage = (published, planner, errors) => {
  const rows = published.map((one) => {
    const { parameters, bf16, nf4, targets } = sizeOf(one, planner)
    const of = one.golden.map((golden) => {
      const found = errors.get(golden)
      if (!found) throw new Error(`${golden} was not measured`)
      return found
    })
    const worst = (/** @type {'logits' | 'gradients'} */ kind) =>
      scientific(Math.max(...of.map((error) => error[kind])))
    return [
      one.size,
      `\`${one.package}\``,
      parameters.toLocaleString('en-US'),
      worst('logits'),
      worst('gradients'),
      bf16.map(gib).join(' / '),
      nf4.map(gib).join(' / '),
      `\`${templateOf(one)}\``,
      targets.map((target) => `\`${target}\``).join(' '),
    ]
  })
  return `# Models

Every size whose published shape is in \`fixtures/published\`, one row each.

* **parameters**: counted in the modules that \`config.json\` makes.
* **logits**, **gradients**: largest difference from the reference implementation (transformers, or a module in
  \`scripts/reference\` where it lacks the family), in f32 on the CPU, over the tiny models in \`fixtures\` that have the parts of
  this size: logits relative to 1 + |logit|, gradients of every parameter relative to the largest element of each.
* **LoRA bf16**, **LoRA NF4**: planned GiB for rank ${rank} on the default targets and a micro-batch of ${tokens} tokens (or the
  model's limit, where that is less): with all activations kept / recomputed. NF4: the
  matrices of the decoder layers in 4 bits with their scales, everything else as in bf16. \`npx ift plan\` does the same sum for a config.
* **template**: used when the checkpoint has no chat template.
* **targets**: modules that LoRA adapts when \`targetModules\` is not set.

Made by \`npm run build && node scripts/models.mjs\`; a test compares it with what the sources give.

| model | package | parameters | logits | gradients | LoRA bf16 | LoRA NF4 | template | targets |
|---|---|--:|--:|--:|--:|--:|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

Not supported, and refused by name: Gemma 2 (soft-capped scores and logits); text beyond a sliding window (Mistral v0.1,
Phi-3-mini, Gemma 3); mixtures of experts; multimodal models; GPTQ and int4 releases; the first release of ChatGLM-6B, with
150,528 rows.

## Recipes

Values that the original platform trained a family with, where they differ from the defaults of the options. A run uses them unless the
config sets these options. \`npx ift plan\` and the manifest of a run name the values in use. Options of a method are used together, or
not at all when the config sets one of them.

| family | values |
|---|---|
${recipes(published)}
`
}
