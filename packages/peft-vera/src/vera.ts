import { IftError, type AdapterFiles, type AdapterSource, type PeftMethod } from '@ift/core'
import {
  besideFields,
  fanInFanOut,
  ModuleHandle,
  moduleMethod,
  sharedPrefix,
  targetFields,
  values,
  type AdapterTensor,
} from '@ift/core/peft'
import { Parameter, type LinearLike, type Module } from '@ift/tensor'
import { veraOptions, type VeraOptions } from './options.js'
import { projections, type Projections } from './projections.js'
import { VeraLinear } from './vera-linear.js'

/**
 * VeRA (Kopiczko et al. 2024, arXiv:2310.11454): low-rank updates whose matrices are random, frozen and shared by all layers; two
 * vectors of each layer are trained. Adapters in the format of Hugging Face PEFT, both ways.
 */
export const vera: PeftMethod<VeraOptions> = moduleMethod<VeraOptions, VeraLinear>({
  name: 'vera',
  peftType: 'VERA',
  targetRoles: ['query', 'value'],
  options: veraOptions,
  fields: {
    target_modules: targetFields.target_modules,
    layers_to_transform: targetFields.layers_to_transform,
    layers_pattern: targetFields.layers_pattern,
    bias: besideFields.bias,
    modules_to_save: besideFields.modules_to_save,
    r: 'r',
    vera_dropout: 'dropout',
    d_initial: 'dInitial',
    projection_prng_key: 'projectionPrngKey',
    save_projection: 'saveProjection',
  },
  ignoredFields: ['init_weights'],
  shared: sharedProjections,
  layer: (base, { options: { dropout, dInitial }, shared }) =>
    new VeraLinear(base, { a: shared[0]!.parameter, b: shared[1]!.parameter }, { dropout, dInitial }),
  handle: (parts) => new VeraHandle(parts),
  writeConfig: ({ context, layers }) => ({
    fan_in_fan_out: fanInFanOut(context, layers),
    init_weights: true,
  }),
})

/** A and B as wide as the widest target needs them. */
function sharedProjections(modules: ReadonlyMap<string, Module>, options: VeraOptions): AdapterTensor[] {
  const layers = [...modules.values()] as LinearLike[]
  const inputs = Math.max(...layers.map(({ inFeatures }) => inFeatures))
  const outputs = Math.max(...layers.map(({ outFeatures }) => outFeatures))
  const { r, projectionPrngKey: key } = options
  let made: Projections | undefined
  const project = () => (made ??= projections(key, r, inputs, outputs))
  return [
    {
      name: 'vera_A',
      parameter: new Parameter([r, inputs]),
      start: values(() => project().a),
      trained: false,
    },
    {
      name: 'vera_B',
      parameter: new Parameter([outputs, r]),
      start: values(() => project().b),
      trained: false,
    },
  ]
}

class VeraHandle extends ModuleHandle<VeraOptions, VeraLinear> {
  override async save(): Promise<AdapterFiles> {
    const { config, tensors } = await super.save()
    if (this.parts.options.saveProjection) return { config, tensors }
    const names = this.#projectionNames()
    return { config, tensors: new Map([...tensors].filter(([name]) => !names.includes(name))) }
  }

  override async load(source: AdapterSource): Promise<void> {
    const names = new Set(source.names())
    const missing = this.#projectionNames().find((name) => !names.has(name))
    if (missing !== undefined && source.config['save_projection'] !== false)
      throw new IftError(
        'IFT_ADAPTER_MISSING',
        `${source.path}: tensor "${missing}" is missing, and save_projection of its config says that it is there.`,
        'Where the adapter is meant to be loaded by its seed, set save_projection to false in adapter_config.json.',
      )
    await super.load(source)
  }

  #projectionNames(): string[] {
    return this.parts.shared.map(({ name }) => `${sharedPrefix}${name}`)
  }
}
