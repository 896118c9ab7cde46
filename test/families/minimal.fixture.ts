import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import {
  DecoderForCausalLM,
  DecoderModel,
  decoderShape,
  GatedMLP,
  initializeDecoder,
  languageHead,
  llamaRoles,
  PreNormLayer,
  readDecoderSizes,
  RotaryAttention,
  rotationOf,
  stepOf,
  wholeRotation,
  type ConfigJson,
  type RotaryStep,
} from '@ift/core/model'
import { RMSNorm } from '@ift/tensor'

function parseConfig(json: ConfigJson) {
  const sizes = readDecoderSizes(json)
  // Adds rope and maxPositions.
  return { ...sizes, ...wholeRotation(json, sizes.headDim, 2048) }
}

type MineConfig = ReturnType<typeof parseConfig>

class MineForCausalLM extends DecoderForCausalLM<RotaryStep> {
  constructor(config: MineConfig) {
    const norm = () => new RMSNorm(config.hidden, config.eps)
    const model = new DecoderModel<RotaryStep>(config, {
      layer: (index) => new PreNormLayer(new RotaryAttention(config, index), new GatedMLP(config), norm),
      norm,
      step: (input) => ({ ...stepOf(input), rotation: rotationOf(input, config.rope, config.headDim) }),
      ropes: [config.rope],
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}

const mine: ModelDefinition<MineConfig> = {
  name: 'mine',
  architectures: ['MineForCausalLM'],
  modelTypes: ['mine'],
  parseConfig,
  build: (config) => new MineForCausalLM(config),
  shape: decoderShape,
  roles: () => llamaRoles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles: llamaRoles }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
}

export const plugin = definePlugin('ift-plugin-model-mine', (host) => host.use(defineModel(mine)))
