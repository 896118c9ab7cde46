import {
  Embedding,
  IftError,
  Linear,
  QuantizedParameter,
  replaceModules,
  TiedLinear,
  type CausalLM,
  type Module,
  type Parameter,
} from '@ift/tensor'
import type { PeftContext } from '../contract/index.js'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'
import { checkedFile, entriesOf, layersOf } from './adapter-entries.js'
import { ModuleHandle, releaseParts, type ModuleParts } from './module-handle.js'
import type { ModuleMethod } from './module-method.js'
import type { ModuleOptions } from './options.js'
import { savedModules, type SavedModules } from './saved-modules.js'
import { fieldOf, moduleSetting, settingError } from './setting.js'
import { startTensor, zeros } from './start.js'
import { checkPatterns, linearLayers, targets } from './targets.js'
import { placeTokenRows, type TokenRowsLayer } from './place-token-rows.js'
import { tokenRowsBeside } from './trainable-token-indices.js'
import { ownTable, tiedHead, untied, type TiedHead } from './tied.js'
import { writeAdapterConfig } from './write-config.js'

/**
 * Freezes the model, puts a layer of the method on every target, and starts its tensors. After an error nothing of the adapter is held, and
 * the parameters have their values, frozen; the modules that were replaced are not put back.
 */
export async function attach<O extends ModuleOptions, L extends AdaptedLayer>(
  method: ModuleMethod<O, L>,
  model: CausalLM,
  options: O,
  context: PeftContext,
): Promise<ModuleHandle<O, L>> {
  method.check?.(options, context, model)
  checkPatterns(options, (option, pattern, why) =>
    settingError(
      context,
      { option, field: fieldOf(method.fields, option), value: options[option] },
      'IFT_PEFT_TARGET',
      (setting) => `${setting}: "${pattern}" is not a regular expression that can be used: ${why}`,
      "Write it as Python's re reads it, or give a list of layer names, such as ['q_proj', 'v_proj'].",
    ),
  )
  for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)
  const tied = tiedHead(model)
  const saved = savedModules(model, options, context)
  if (tied && !saved.tied && (saved.paths.has(tied.path) || saved.paths.has(tied.embeddingPath)))
    untie(model, tied)

  const rule = { name: method.name, targetRoles: method.targetRoles, targets: method.targets ?? linearLayers }
  const modules = method.targets === null ? new Map<string, Module>() : targets(model, options, context, rule)
  refuseBoth(modules, saved, tied, options, context)
  const shared = (await method.shared?.(modules, options, context)) ?? []
  const [layers, rows] = [new Map<string, L>(), new Map<string, TokenRowsLayer>()]
  let handle: ModuleHandle<O, L> | null = null
  try {
    placeLayers(layers, method, model, modules, { options, context, shared })
    const request = method.tokenRows?.(modules, options) ?? tokenRowsBeside(options, model, context)
    if (request) placeTokenRows(rows, model, request, { options, context })
    const whole = new Map([
      ...besideParameters(model, options, saved.paths, layers),
      ...(method.whole?.(modules, model, options) ?? []),
    ])
    refuseQuantized(whole)
    const parts: ModuleParts<O, L> = {
      ...{ model, options, context, layers, rows, shared, whole },
      ...(method.fileName && { fileName: (name) => method.fileName!(name, context) }),
      ...(method.source && { source: (source, names) => method.source!(source, { names, layers }) }),
      config: () => writeAdapterConfig(method, { options, context, layers, modules }),
    }
    await startTensors(parts)
    handle = method.handle?.(parts) ?? new ModuleHandle(parts)
    for (const parameter of whole.values()) parameter.setTrainable(true)
    return handle
  } catch (error) {
    if (handle === null) releaseParts({ layers, rows, shared })
    else {
      // Switched off, the model has its own values.
      handle.setEnabled(false)
      handle.release()
    }
    throw error
  }
}

/** Throws IFT_QUANTIZED for a parameter that would be trained whole and is held in few bits. */
function refuseQuantized(whole: ReadonlyMap<string, Parameter>): void {
  for (const [name, parameter] of whole)
    if (parameter instanceof QuantizedParameter)
      throw new IftError(
        'IFT_QUANTIZED',
        `"${name}" is held in ${parameter.format} and cannot be trained whole.`,
        'Leave it out of modulesToSave: an adapter can be put on it (peft.targetModules). Or load the model with quantize: none.',
      )
}

/** PEFT trains a copy of the module that is named; the other one keeps the table of the base. */
function untie(model: CausalLM, { path, head }: TiedHead): void {
  const own = untied(head, ownTable(head.embedding))
  replaceModules(
    model,
    (at) => at === path,
    () => own,
  )
}

/** Throws for a module that would be trained in two ways. */
function refuseBoth(
  modules: ReadonlyMap<string, Module>,
  saved: SavedModules,
  tied: TiedHead | null,
  options: ModuleOptions,
  context: PeftContext,
): void {
  if (
    tied &&
    !saved.tied &&
    options.ensureWeightTying &&
    (modules.has(tied.path) || modules.has(tied.embeddingPath))
  )
    throw settingError(
      context,
      [moduleSetting(options, 'ensureWeightTying'), moduleSetting(options, 'targetModules')],
      'IFT_PEFT_OPTIONS',
      (tying, adapted) =>
        `${tying} with the tied embedding or head among the adapted layers (${adapted}) is one update for both, which is not supported.`,
      'Name the embedding in modulesToSave instead; or merge the adapter with the tool that made it.',
    )
  for (const path of saved.paths)
    for (const target of modules.keys())
      if (`${target}.`.startsWith(`${path}.`))
        throw settingError(
          context,
          [moduleSetting(options, 'modulesToSave'), moduleSetting(options, 'targetModules')],
          'IFT_PEFT_TARGET',
          (whole, adapted) =>
            `${whole} trains "${path}" whole, and "${target}" in it is adapted (${adapted}).`,
          'Name one of them alone.',
        )
}

/** Adds each layer to `layers` when it is made. */
function placeLayers<O extends ModuleOptions, L extends AdaptedLayer>(
  layers: Map<string, L>,
  { layer: makeLayer }: Pick<ModuleMethod<O, L>, 'layer'>,
  model: CausalLM,
  modules: ReadonlyMap<string, Module>,
  place: Pick<ModuleParts<O, L>, 'options' | 'context' | 'shared'>,
): void {
  if (!makeLayer) return
  replaceModules(
    model,
    (path) => modules.has(path),
    (module, path) => {
      const sharesTable = module instanceof TiedLinear
      const base: Module = sharesTable ? untied(module, module.embedding.weight) : module
      // Chosen by kind, it is what the layer of the method takes.
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
      const layer = makeLayer(base as Linear & Embedding, { ...place, path, sharesTable })
      layers.set(path, layer)
      return layer
    },
  )
}

/**
 * Gives every tensor of the adapter its start, from the seed and its place alone. Values that an adapter holds are not made first, and
 * nothing is before its file was compared.
 */
async function startTensors(parts: ModuleParts): Promise<void> {
  const { shared, context } = parts
  const { adapter } = context
  const held = new Set<Parameter>()
  if (adapter) {
    const { names, known } = checkedFile(parts, entriesOf(parts), adapter)
    for (const [name, { parameter }] of known) if (names.has(name)) held.add(parameter)
  }
  // Two streams of random numbers for each layer; where a layer draws more, they lie behind those of all layers.
  const stream = (layer: number, at: number) => 2 * layer + (at & 1) + (at >> 1) * 2 ** 20
  const startAll = async (tensors: readonly AdapterTensor[], layer: number) => {
    for (const [at, { parameter, start: own, trained = true }] of tensors.entries()) {
      const start = held.has(parameter) && own.kind === 'values' ? zeros : own
      parameter.assign(await startTensor(start, parameter.shape, context, stream(layer, at)))
      parameter.setTrainable(trained)
    }
  }
  await startAll(shared, 0)
  let index = 0
  for (const layer of layersOf(parts).values()) {
    await startAll(layer.tensors(), ++index)
    await layer.begin?.(stream(index, 0))
  }
}

/** Parameters trained whole: those of modulesToSave and the biases asked for, under PEFT's paths. */
function besideParameters(
  model: CausalLM,
  { bias }: ModuleOptions,
  saved: ReadonlySet<string>,
  layers: ReadonlyMap<string, AdaptedLayer>,
): Map<string, Parameter> {
  const whole = new Map<string, Parameter>()
  const own = new Set(
    [...layers.values()].flatMap((layer) => layer.tensors().map(({ parameter }) => parameter)),
  )
  for (const [path, parameter] of model.namedParameters())
    if ([...saved].some((module) => path.startsWith(`${module}.`))) whole.set(path, parameter)
  if (bias?.endsWith('_only'))
    for (const [path, { base_layer }] of layers)
      if (base_layer.bias) whole.set(`${path}.base_layer.bias`, base_layer.bias)
  if (bias === 'all')
    for (const [path, parameter] of model.namedParameters())
      if (path.endsWith('.bias') && !own.has(parameter)) whole.set(path, parameter)
  return whole
}
