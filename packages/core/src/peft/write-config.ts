import type { Module } from '@ift/tensor'
import type { PeftContext } from '../contract/index.js'
import type { AdaptedLayer } from './adapted-layer.js'
import type { ModuleMethod } from './module-method.js'
import type { ModuleOptions } from './options.js'

interface Written<O, L> {
  readonly options: O
  readonly context: PeftContext
  readonly layers: ReadonlyMap<string, L>
  /** What the method was put on. */
  readonly modules: ReadonlyMap<string, Module>
}

/** adapter_config.json as PEFT writes it: the fields of the options, those of every adapter, those of the method; by name. */
export function writeAdapterConfig<O extends ModuleOptions, L extends AdaptedLayer>(
  method: Pick<ModuleMethod<O, L>, 'peftType' | 'fields' | 'writeConfig'>,
  { options, context, layers, modules }: Written<O, L>,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [field, option] of Object.entries(method.fields))
    fields[field] = options[option as keyof O] ?? null
  if ('modules_to_save' in fields && !options.modulesToSave?.length) fields['modules_to_save'] = null
  if ('target_modules' in fields) Object.assign(fields, targetFieldsOf(options, modules, fields))
  const all: Record<string, unknown> = {
    auto_mapping: null,
    base_model_name_or_path: context.baseModel,
    inference_mode: true,
    peft_type: method.peftType,
    revision: null,
    task_type: 'CAUSAL_LM',
    ...fields,
    ...method.writeConfig?.({
      ...{ options, context, layers },
      targetModules: fields['target_modules'] as string | readonly string[] | undefined,
    }),
  }
  // Older versions warn of fields that they do not know.
  if (all['ensure_weight_tying'] === false) delete all['ensure_weight_tying']
  if (all['trainable_token_indices'] === null) delete all['trainable_token_indices']
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** How the base weights lie in PEFT's model, for methods that write it; what is trained is the same either way. */
export const fanInFanOut = ({ definition }: PeftContext, layers: ReadonlyMap<string, unknown>): boolean =>
  [...layers.keys()].every((path) => definition.transposed?.(`${path}.weight`) === true)

/** `fields` are those that PEFT knows of the method. */
function targetFieldsOf(
  { targetModules, excludeModules, layersToTransform, layersPattern }: ModuleOptions,
  modules: ReadonlyMap<string, unknown>,
  fields: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const indexed = 'layers_to_transform' in fields
  // The list names the modules themselves where no field says the rest; PEFT accepts layer indices only beside a list of names.
  const byPath =
    (layersToTransform !== undefined && (!indexed || typeof targetModules === 'string')) ||
    (excludeModules !== undefined && !('exclude_modules' in fields))
  const names = [...modules.keys()].map((path) => (byPath ? path : path.split('.').at(-1)!))
  return {
    target_modules: (byPath ? undefined : targetModules) ?? [...new Set(names)].sort(),
    ...(indexed && {
      layers_pattern: byPath ? null : (layersPattern ?? null),
      layers_to_transform: byPath ? null : (layersToTransform ?? null),
    }),
  }
}
