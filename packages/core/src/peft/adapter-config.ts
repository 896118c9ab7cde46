import { IftError } from '@ift/tensor'
import type * as z from '../config/options.js'
import { faults, show } from '../config/validate.js'
import { suggest } from '../suggest.js'
import type { ModuleOptions } from './options.js'
import { fieldOf, fieldValue, isSet } from './setting.js'
import { checkPatterns } from './targets.js'

/** How the adapter_config.json of a method reads. */
export interface AdapterConfigReader<O> {
  /** Name of the method, for errors. */
  readonly name: string
  readonly options: z.ZodType<O>
  /** Options by the fields of PEFT that say them. */
  readonly fields: Readonly<Record<string, string>>
  /** Further fields that do not change what an adapter computes. */
  readonly ignoredFields?: readonly string[]
  /** Options that no single field says; throws IFT_ADAPTER_CONFIG for what is no adapter of this method. */
  readConfig?(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
}

/** Descriptions, and how the frozen weights lie in PEFT's model, which PEFT itself corrects by the kind of the layer. */
const descriptions = [
  'auto_mapping',
  'base_model_name_or_path',
  'fan_in_fan_out',
  'inference_mode',
  'peft_type',
  'peft_version',
  'revision',
  'runtime_config',
  'task_type',
]

/**
 * What adapter_config.json says, as options. Throws IFT_ADAPTER_CONFIG, naming the field, for a variant that is not this
 * method and for a field with a value that is not known here. `optionsOf` adds the adapter's path.
 */
export function readAdapterConfig<O>(
  reader: AdapterConfigReader<O>,
  config: Readonly<Record<string, unknown>>,
): O {
  const { name, fields } = reader
  const ignored = new Set([...descriptions, ...(reader.ignoredFields ?? [])])
  for (const [field, value] of Object.entries(config))
    if (!Object.hasOwn(fields, field) && !ignored.has(field) && isSet(value)) {
      const near = suggest(field, Object.keys(fields))
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json sets ${field} to ${show(value)}, which ${name} does not know${near === null ? '' : ` (near: ${near})`}.`,
        'Merge the adapter with the tool that made it, and use the merged model.',
      )
    }
  const options: Record<string, unknown> = {}
  for (const [field, option] of Object.entries(fields)) {
    const value = fieldValue(config, field)
    if (value !== undefined) options[option] = value
  }
  Object.assign(options, reader.readConfig?.(config))
  const result = reader.options.safeParse(options)
  if (!result.success) {
    const lines = faults(inFieldNames(fields, result.error.issues), reader.options, config, '')
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json is not one of ${name}:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
      'Take the file from where the adapter was made.',
    )
  }
  checkPatterns(
    result.data as ModuleOptions,
    (option, pattern, why) =>
      new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json: ${fieldOf(fields, option)} has "${pattern}", which is not a regular expression that can be used: ${why}`,
        'Write it without what the message names, or as a list of layer names.',
      ),
  )
  return result.data
}

/** Issues under the names that the file has. */
const inFieldNames = (
  fields: Readonly<Record<string, string>>,
  issues: readonly z.core.$ZodIssue[],
): z.core.$ZodIssue[] =>
  issues.map((issue) => ({
    ...issue,
    path: issue.path.map((part, i) => (i ? part : fieldOf(fields, part))),
  }))
