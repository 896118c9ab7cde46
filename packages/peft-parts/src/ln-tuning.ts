import type { PeftMethod } from '@ift/core'
import { moduleMethod, targetFields, type TargetKind } from '@ift/core/peft'
import { Parameter, type Module } from '@ift/tensor'
import { partOptions, type PartOptions } from './options.js'

/** Weight and bias of a norm by their field names. */
function partsOf(module: Module): [name: string, parameter: Parameter][] {
  const { weight, bias } = module as { weight?: unknown; bias?: unknown }
  const parts = Object.entries({ weight, bias })
  return parts.filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter)
}

/** Norms alone have a weight that is a vector. */
const norms: TargetKind = {
  name: 'a norm',
  accepts: (module) => partsOf(module).some(([name, { shape }]) => name === 'weight' && shape.length === 1),
}

/**
 * LN tuning (Zhao et al. 2023, arXiv:2312.11420): the weights and biases of norms are trained, all else is frozen; adapters in the
 * format of Hugging Face PEFT, both ways.
 */
export const lnTuning: PeftMethod<PartOptions> = moduleMethod<PartOptions>({
  name: 'ln-tuning',
  peftType: 'LN_TUNING',
  targetRoles: ['norm'],
  targets: norms,
  options: partOptions,
  fields: {
    target_modules: targetFields.target_modules,
    exclude_modules: targetFields.exclude_modules,
    modules_to_save: 'modulesToSave',
  },
  whole: (modules) =>
    new Map(
      [...modules].flatMap(([path, module]) =>
        partsOf(module).map(([name, parameter]) => [`${path}.ln_tuning_layers.${name}`, parameter] as const),
      ),
    ),
})
