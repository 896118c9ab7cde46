import { IftError, type PeftContext } from '@ift/core'
import {
  Embedding,
  full,
  type Linear,
  noGrad,
  ops,
  QuantizedLinear,
  random,
  replaceModules,
  scope,
  tensor,
  TiedLinear,
  zeros,
  type CausalLM,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import { LoraHandle, type InitialFactors, type LoraLayer } from './handle.js'
import { LoraEmbedding } from './lora-embedding.js'
import { LoraLinear } from './lora-linear.js'
import type { LoraOptions } from './options.js'
import { principalFactors, testColumns } from './pissa.js'
import { savedModules } from './saved-modules.js'
import { checkPatterns, patternTable, targetPaths } from './targets.js'
import { ownTable, tiedHead, untied } from './tied.js'

/** Freezes the model, puts a low-rank branch on every target, and starts the branches. */
export async function attachLora(
  model: CausalLM,
  options: LoraOptions,
  context: PeftContext,
): Promise<LoraHandle> {
  if (options.loraBias && (options.dora || options.init !== 'kaiming'))
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.loraBias cannot be combined with peft.${options.dora ? 'dora' : `init: ${options.init}`}.`,
      'Choose one of them.',
    )
  if (options.init === 'pissa' && options.dora)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      'peft.init: pissa and peft.dora cannot be combined.',
      'Choose one of them.',
    )
  checkPatterns(
    options,
    (option, pattern, why) =>
      new IftError(
        'IFT_PEFT_TARGET',
        `peft.${option}: "${pattern}" is not a regular expression that can be used: ${why}`,
        "Write it as Python's re reads it, or give a list of layer names, such as ['q_proj', 'v_proj'].",
      ),
  )
  for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)
  const tied = tiedHead(model)
  const saved = savedModules(model, options, context)
  if (tied && !saved.tied && (saved.paths.has(tied.path) || saved.paths.has(tied.embeddingPath))) {
    // PEFT trains a copy of the module that is named; the other one keeps the table of the base.
    const head = untied(tied.head, ownTable(tied.head.embedding))
    replaceModules(
      model,
      (path) => path === tied.path,
      () => head,
    )
  }

  const paths = targetPaths(model, options, context)
  if (
    tied &&
    !saved.tied &&
    options.ensureWeightTying &&
    (paths.has(tied.path) || paths.has(tied.embeddingPath))
  )
    throw new IftError(
      context.adapter ? 'IFT_ADAPTER_CONFIG' : 'IFT_PEFT_OPTIONS',
      'ensure_weight_tying with the tied embedding or head among the adapted layers is one update for both, which is not built.',
      'Name the embedding in modulesToSave instead; or merge the adapter with the tool that made it.',
    )
  const rankOf = patternTable(options.rankPattern, options.r)
  const alphaOf = patternTable(options.alphaPattern, options.alpha)
  const layers = new Map<string, LoraLayer>()
  replaceModules(
    model,
    (path) => paths.has(path),
    (module, path) => {
      const r = rankOf(path)
      const scale = alphaOf(path) / (options.rslora ? Math.sqrt(r) : r)
      const { dropout, dora, loraBias: bias, init } = options
      if (module instanceof Embedding && (dora || bias || init === 'pissa')) throw linearOnly(path, options)
      if (module instanceof QuantizedLinear && init === 'pissa')
        throw new IftError(
          'IFT_PEFT_OPTIONS',
          `peft.init: pissa changes the base weights, and "${path}" is held in ${module.weight.format}.`,
          'Leave out peft.init, or quantize.',
        )
      if (module instanceof TiedLinear && init === 'pissa')
        throw new IftError(
          'IFT_PEFT_OPTIONS',
          `peft.init: pissa changes the base weights, and "${path}" shares them with the embedding.`,
          'Leave out peft.init, or this layer.',
        )
      const layer =
        module instanceof Embedding
          ? new LoraEmbedding(module, { r, scale })
          : new LoraLinear(
              module instanceof TiedLinear
                ? untied(module, module.embedding.weight)
                : // Targets are chosen among linear layers and embeddings.
                  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
                  (module as Linear),
              { r, scale, dropout, dora, bias },
            )
      layers.set(path, layer)
      return layer
    },
  )
  for (const path of saved.paths)
    for (const target of layers.keys())
      if (`${target}.`.startsWith(`${path}.`))
        throw new IftError(
          'IFT_PEFT_TARGET',
          `peft.modulesToSave trains "${path}" whole, and peft.targetModules adapts "${target}" in it.`,
          'Name one of them alone.',
        )

  const initial = new Map<string, InitialFactors>()
  let stream = 0
  for (const [path, layer] of layers) {
    stream += 2
    if (layer instanceof LoraEmbedding) {
      startEmbedding(layer, context, stream)
      continue
    }
    if (options.init === 'pissa') initial.set(path, await startPrincipal(layer, context, stream))
    else startRandom(layer, options, context, stream)
    layer.lora_A.weight.setTrainable(true)
    layer.lora_B.weight.setTrainable(true)
    if (layer.lora_B.bias) {
      layer.lora_B.bias.assign(zeros(context.backend, layer.lora_B.bias.shape, context.dtype))
      layer.lora_B.bias.setTrainable(true)
    }
    if (layer.lora_magnitude_vector) {
      layer.lora_magnitude_vector.assign(noGrad(() => scope(() => layer.norms())))
      layer.lora_magnitude_vector.setTrainable(true)
    }
  }
  const whole = wholeParameters(model, options, saved.paths, layers)
  for (const parameter of whole.values()) parameter.setTrainable(true)
  return new LoraHandle({ model, options, context, layers, whole, initial })
}

/** Random f32 values, scaled and rounded to the dtype of the model. */
function randomTensor(
  context: PeftContext,
  shape: readonly number[],
  kind: 'normal' | 'uniform',
  stream: number,
  scale: number,
): Tensor {
  const { backend, dtype, seed } = context
  return noGrad(() =>
    scope(() => {
      const raw = random(backend, shape, kind, { seed, stream })
      if (kind === 'uniform') {
        // [0, 1) to [-1, 1).
        const ones = full(backend, shape, 1, 'f32')
        backend.axpby(raw.buf, 2, raw.buf, -1, ones.buf, raw.size, 'f32')
      }
      return ops.cast(ops.scale(raw, scale), dtype)
    }),
  )
}

/** PEFT's starts: A Kaiming-uniform with a = √5, that is U(±1/√in), or Gaussian with deviation 1/r; B zero. */
function startRandom(layer: LoraLinear, options: LoraOptions, context: PeftContext, stream: number): void {
  const { backend, dtype } = context
  const { weight: a } = layer.lora_A
  const { weight: b } = layer.lora_B
  a.assign(
    options.init === 'gaussian'
      ? randomTensor(context, a.shape, 'normal', stream, 1 / layer.settings.r)
      : randomTensor(context, a.shape, 'uniform', stream, 1 / Math.sqrt(layer.inFeatures)),
  )
  b.assign(zeros(backend, b.shape, dtype))
}

/** PEFT's start of an embedding's: A zero, B N(0, 1). */
function startEmbedding(layer: LoraEmbedding, context: PeftContext, stream: number): void {
  const { lora_embedding_A: a, lora_embedding_B: b } = layer
  a.assign(zeros(context.backend, a.shape, context.dtype))
  b.assign(randomTensor(context, b.shape, 'normal', stream, 1))
  a.setTrainable(true)
  b.setTrainable(true)
}

function linearOnly(path: string, { dora, loraBias }: LoraOptions): IftError {
  const option = dora ? 'dora' : loraBias ? 'loraBias' : 'init: pissa'
  return new IftError(
    'IFT_PEFT_OPTIONS',
    `peft.${option} is for linear layers; peft.targetModules also names the embedding "${path}".`,
    `Leave out ${path.split('.').at(-1)!}, or peft.${option.split(':')[0]!}.`,
  )
}

/** A and B from the principal components of W, which keeps the rest: W ← W - scale · B A. */
async function startPrincipal(
  layer: LoraLinear,
  context: PeftContext,
  stream: number,
): Promise<InitialFactors> {
  const { weight } = layer.base_layer
  const { r, scale } = layer.settings
  const { backend, dtype, seed } = context
  const columns = testColumns(r, layer.outFeatures, layer.inFeatures)
  const draw = random(backend, [layer.inFeatures, columns], 'normal', { seed, stream })
  const start = await draw.read()
  draw.release()
  const w = noGrad(() => scope(() => ops.cast(weight.value, 'f32')))
  try {
    const { a, b } = await principalFactors(w, r, start)
    const share = 1 / Math.sqrt(scale)
    const round = async (values: Float32Array, parameter: Parameter) => {
      const scaled = values.map((value) => value * share)
      parameter.assign(tensor(backend, scaled, parameter.shape, dtype))
      return parameter.value.read()
    }
    const initial = { a: await round(a, layer.lora_A.weight), b: await round(b, layer.lora_B.weight) }
    weight.assign(noGrad(() => scope(() => ops.cast(ops.sub(w, layer.delta()), dtype))))
    return initial
  } finally {
    w.release()
  }
}

/** Parameters trained whole: those of modulesToSave and the biases asked for, under PEFT's paths. */
function wholeParameters(
  model: CausalLM,
  options: LoraOptions,
  saved: ReadonlySet<string>,
  layers: ReadonlyMap<string, LoraLayer>,
): Map<string, Parameter> {
  const whole = new Map<string, Parameter>()
  for (const [path, parameter] of model.namedParameters())
    if ([...saved].some((module) => path.startsWith(`${module}.`))) whole.set(path, parameter)
  if (options.bias === 'lora_only')
    for (const [path, layer] of layers)
      if (layer instanceof LoraLinear && layer.base_layer.bias)
        whole.set(`${path}.base_layer.bias`, layer.base_layer.bias)
  if (options.bias === 'all')
    for (const [path, parameter] of model.namedParameters())
      if (path.endsWith('.bias') && !path.endsWith('.lora_B.bias')) whole.set(path, parameter)
  return whole
}
