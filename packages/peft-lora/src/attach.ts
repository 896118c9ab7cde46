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
import { fromPattern, targetPaths } from './targets.js'

/** Freezes the model, puts a low-rank branch on every target, and starts the branches. */
export async function attachLora(
  model: CausalLM,
  options: LoraOptions,
  context: PeftContext,
): Promise<LoraHandle> {
  if (options.init === 'pissa' && options.dora)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      'peft.init: pissa and peft.dora cannot be combined.',
      'Choose one of them.',
    )
  const paths = targetPaths(model, options, context.definition.targetModules['lora'])
  for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)

  const layers = new Map<string, LoraLayer>()
  replaceModules(
    model,
    (path) => paths.has(path),
    (module, path) => {
      const r = fromPattern(options.rankPattern, path, options.r)
      const alpha = fromPattern(options.alphaPattern, path, options.alpha)
      const scale = alpha / (options.rslora ? Math.sqrt(r) : r)
      const { dropout, dora, init } = options
      if (module instanceof Embedding && (dora || init === 'pissa')) throw linearOnly(path, options)
      if (module instanceof QuantizedLinear && init === 'pissa')
        throw new IftError(
          'IFT_PEFT_OPTIONS',
          `peft.init: pissa changes the base weights, and "${path}" is held in ${module.weight.format}.`,
          'Leave out peft.init, or quantize.',
        )
      const layer =
        module instanceof Embedding
          ? new LoraEmbedding(module, { r, scale })
          : // Targets are chosen among linear layers and embeddings.
            // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
            new LoraLinear(module as Linear, { r, scale, dropout, dora })
      layers.set(path, layer)
      return layer
    },
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
    if (layer.lora_magnitude_vector) {
      layer.lora_magnitude_vector.assign(noGrad(() => scope(() => layer.norms())))
      layer.lora_magnitude_vector.setTrainable(true)
    }
  }
  const whole = wholeParameters(model, options, context, layers)
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

const linearOnly = (path: string, { dora }: LoraOptions) =>
  new IftError(
    'IFT_PEFT_OPTIONS',
    `peft.${dora ? 'dora' : 'init: pissa'} is for linear layers; peft.targetModules also names the embedding "${path}".`,
    `Leave out ${path.split('.').at(-1)!}, or ${dora ? 'peft.dora' : 'peft.init'}.`,
  )

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
  { definition }: PeftContext,
  layers: ReadonlyMap<string, LoraLayer>,
): Map<string, Parameter> {
  const whole = new Map<string, Parameter>()
  const modules = [...model.namedModules()]
  for (const name of options.modulesToSave) {
    const found = modules.filter(([path]) => path === name || path.endsWith(`.${name}`))
    if (!found.length)
      throw new IftError(
        'IFT_PEFT_TARGET',
        `peft.modulesToSave names "${name}", which is no module of this model.`,
        `Modules: ${[...new Set(modules.map(([path]) => path.split('.').at(-1)!))].filter((part) => /^[a-z]/.test(part)).join(', ')}`,
      )
    for (const [path, module] of found) {
      if (layers.has(path))
        throw new IftError(
          'IFT_PEFT_TARGET',
          `"${path}" is both a target of lora and in peft.modulesToSave.`,
          'Choose one of them.',
        )
      if (module instanceof TiedLinear)
        throw new IftError(
          'IFT_PEFT_TARGET',
          `"${path}" is tied to the embedding and has no weights of its own.`,
          "Name the embedding instead: peft.modulesToSave: ['embed_tokens'] trains both.",
        )
      for (const [inner, parameter] of module.namedParameters()) {
        if (definition.transposed?.(`${path}.${inner}`) === true)
          throw new IftError(
            'IFT_PEFT_TARGET',
            `"${path}" has a matrix that checkpoints hold as [in, out]; saving it in an adapter is not built.`,
            `Adapt it instead: peft.targetModules: ['${name}']`,
          )
        whole.set(`${path}.${inner}`, parameter)
      }
    }
  }
  if (options.bias === 'lora_only')
    for (const [path, layer] of layers)
      if (layer instanceof LoraLinear && layer.base_layer.bias)
        whole.set(`${path}.base_layer.bias`, layer.base_layer.bias)
  if (options.bias === 'all')
    for (const [path, parameter] of model.namedParameters())
      if (path.endsWith('.bias')) whole.set(path, parameter)
  return whole
}
