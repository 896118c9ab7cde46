import { IftError, type AdapterSource, type PeftMethod } from '@ift/core'
import {
  besideFields,
  fanInFanOut,
  linearLayersAndEmbeddings,
  ModuleHandle,
  moduleMethod,
  moduleSetting,
  optionsOf,
  patternFields,
  patternTable,
  settingError,
  targetFields,
  tokenRowsField,
  type LayerPlace,
  type Setting,
} from '@ift/core/peft'
import { Embedding, QuantizedParameter, type Linear } from '@ift/tensor'
import { ignoredFields, readStart } from './adapter-config.js'
import { combineLora } from './combine.js'
import { LoraEmbedding } from './lora-embedding.js'
import { LoraLinear } from './lora-linear.js'
import { changesWeights, loraOptions, type LoraOptions } from './options.js'

type LoraLayer = LoraLinear | LoraEmbedding

const hasInitial = (layer: LoraLayer) => layer instanceof LoraLinear && layer.initial !== undefined

/** Options that not every layer has, and the fields that say them. */
const settings = {
  dora: { option: 'dora', field: 'use_dora' },
  loraBias: { option: 'loraBias', field: 'lora_bias' },
  init: { option: 'init', field: 'init_lora_weights' },
}

class LoraHandle extends ModuleHandle<LoraOptions, LoraLayer> {
  override async load(source: AdapterSource): Promise<void> {
    const { init } = this.parts.options
    if ([...this.parts.layers.values()].some(hasInitial) && source.config['init_lora_weights'] !== init)
      throw new IftError(
        'IFT_ADAPTER_START',
        `${source.path} cannot be loaded into layers started with init: ${init}, whose base weights were changed.`,
        'Remove peft.init: an adapter brings its own values.',
      )
    await super.load(source)
  }
}

/**
 * LoRA (Hu et al. 2021, arXiv:2106.09685) with rsLoRA, DoRA, LoRA+, PiSSA and OLoRA; adapters in the format of Hugging Face
 * PEFT, both ways.
 */
export const lora: PeftMethod<LoraOptions> = moduleMethod<LoraOptions, LoraLayer>({
  name: 'lora',
  peftType: 'LORA',
  // Section 7.1 of the paper, and PEFT.
  targetRoles: ['query', 'value'],
  targets: linearLayersAndEmbeddings,
  options: loraOptions,
  fields: {
    ...targetFields,
    ...besideFields,
    ...patternFields,
    ...tokenRowsField,
    r: 'r',
    lora_alpha: 'alpha',
    lora_dropout: 'dropout',
    use_rslora: 'rslora',
    use_dora: 'dora',
    lora_bias: 'loraBias',
  },
  ignoredFields,
  readConfig: readStart,
  check({ loraBias, dora, init }, context) {
    const [ofDora, ofBias, ofInit] = [
      { ...settings.dora, value: dora },
      { ...settings.loraBias, value: loraBias },
      { ...settings.init, value: init },
    ]
    const refuse = (first: Setting, second: Setting) =>
      settingError(
        context,
        [first, second],
        'IFT_PEFT_OPTIONS',
        (setting, other) =>
          `${setting} ${String(first.value)} cannot be combined with ${second.option}: ${String(second.value)} (${other}).`,
        'Choose one of them.',
      )
    if (loraBias && (dora || init !== 'kaiming')) throw refuse(ofBias, dora ? ofDora : ofInit)
    if (changesWeights(init) && dora) throw refuse(ofInit, ofDora)
  },
  layer: makeLayer,
  combine: (adapters, how) => combineLora(adapters, how, (source) => optionsOf(lora, source)),
  handle: (parts) => new LoraHandle(parts),
  writeConfig({ options, context, layers }) {
    const widened = [...layers.values()].some(hasInitial)
    // The rank is doubled, so alpha grows by the factor that keeps the scale.
    const alphaFactor = widened ? (options.rslora ? Math.SQRT2 : 2) : 1
    const rankFactor = widened ? 2 : 1
    const times = (table: Readonly<Record<string, number>>, factor: number) =>
      Object.fromEntries(Object.entries(table).map(([key, value]) => [key, value * factor]))
    return {
      fan_in_fan_out: fanInFanOut(context, layers),
      init_lora_weights: true,
      r: options.r * rankFactor,
      lora_alpha: options.alpha * alphaFactor,
      rank_pattern: times(options.rankPattern, rankFactor),
      alpha_pattern: times(options.alphaPattern, alphaFactor),
    }
  },
})

function makeLayer(base: Linear & Embedding, place: LayerPlace<LoraOptions>): LoraLayer {
  const { path, options, context } = place
  const { dropout, dora, loraBias: bias, init, loraPlusRatio, rslora } = options
  const r = patternTable(options.rankPattern, options.r)(path)
  const scale = patternTable(options.alphaPattern, options.alpha)(path) / (rslora ? Math.sqrt(r) : r)
  const module: unknown = base
  if (module instanceof Embedding) {
    if (dora || bias || changesWeights(init)) throw linearOnly(place)
    return new LoraEmbedding(module, { r, scale, loraPlusRatio })
  }
  if (changesWeights(init)) refuseFixed(base, r, place)
  const { seed } = context
  return new LoraLinear(base, path, { r, scale, dropout, dora, bias, init, loraPlusRatio, seed })
}

function linearOnly({ path, options, context }: LayerPlace<LoraOptions>): IftError {
  const option = options.dora ? 'dora' : options.loraBias ? 'loraBias' : 'init'
  const value = options[option]
  return settingError(
    context,
    [{ ...settings[option], value }, moduleSetting(options, 'targetModules')],
    'IFT_PEFT_OPTIONS',
    (setting, adapted) =>
      `${setting} ${value} is for linear layers, and the embedding "${path}" is adapted too (${adapted}).`,
    `Leave out ${path.split('.').at(-1)!}, or ${option}.`,
  )
}

/** Throws for weights that a start cannot change. */
function refuseFixed(
  { weight, inFeatures, outFeatures }: Linear,
  r: number,
  { path, options, sharesTable }: LayerPlace<LoraOptions>,
): void {
  const refuse = (why: string, hint: string) =>
    new IftError('IFT_PEFT_OPTIONS', `peft.init: ${options.init} changes the base weights, and ${why}.`, hint)
  if (weight instanceof QuantizedParameter)
    throw refuse(
      `"${path}" is held in ${weight.format}`,
      'Leave out peft.init, or load the base with quantize: none.',
    )
  if (sharesTable)
    throw refuse(`"${path}" shares them with the embedding`, 'Leave out peft.init, or this layer.')
  if (r > Math.min(inFeatures, outFeatures))
    throw refuse(
      `"${path}" [${outFeatures}, ${inFeatures}] has no ${r} components to take`,
      `Set peft.r to ${Math.min(inFeatures, outFeatures)} or less, or leave out peft.init.`,
    )
}
