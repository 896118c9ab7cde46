import { IftError, type PeftMethod } from '@ift/core'
import { moduleMethod, targetFields, type TargetKind } from '@ift/core/peft'
import { Parameter, type CausalLM, type Module } from '@ift/tensor'
import { partOptions, type PartOptions } from './options.js'

const biasOf = (module: Module): Parameter | undefined => {
  const { bias } = module as { bias?: unknown }
  return bias instanceof Parameter ? bias : undefined
}

const withBias: TargetKind = {
  name: 'a module with a bias',
  accepts: (module) => biasOf(module) !== undefined,
}

/**
 * BitFit (Ben Zaken et al. 2022, arXiv:2106.10199): the biases of linear layers and norms are trained, all else is frozen. Hugging
 * Face PEFT has no such method; the adapter is ift's own, with the names that PEFT gives to biases of a model.
 */
export const bitfit: PeftMethod<PartOptions> = moduleMethod<PartOptions>({
  name: 'bitfit',
  peftType: 'BITFIT',
  targetRoles: [
    'query',
    'key',
    'value',
    'attentionOutput',
    'feedForwardIn',
    'feedForwardOut',
    'norm',
    'headNorm',
    'head',
  ],
  targets: withBias,
  options: partOptions,
  fields: { ...targetFields, modules_to_save: 'modulesToSave' },
  check: (_options, { definition }, model) => expectBiases(definition.name, model),
  whole: (modules) => new Map([...modules].map(([path, module]) => [`${path}.bias`, biasOf(module)!])),
})

function expectBiases(family: string, model: CausalLM): void {
  for (const [, module] of model.namedModules()) if (biasOf(module)) return
  throw new IftError(
    'IFT_PEFT_TARGET',
    `peft.method: bitfit trains biases, and this model (${family}) has none.`,
    'Train as few parameters by peft: { method: ln-tuning } or { method: ia3 }, or give every adapted layer a bias by { method: lora, loraBias: true }.',
  )
}
