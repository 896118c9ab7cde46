import { IftError, type ErrorCode } from '@ift/tensor'
import type { AdapterSource, PeftContext, PeftMethod } from '../contract/index.js'
import { besideFields, patternFields, targetFields, tokenRowsField, type ModuleOptions } from './options.js'

/** A setting of a method: the option, the field of an adapter's config that says the same, and its value. */
export interface Setting {
  readonly option: string
  readonly field: string
  readonly value: unknown
}

/** The field of an adapter's config that says an option. */
export const fieldOf = (fields: Readonly<Record<string, string>>, option: PropertyKey): string =>
  Object.entries(fields).find(([, name]) => name === option)?.[0] ?? String(option)

const moduleFields = {
  ...targetFields,
  ...besideFields,
  ...patternFields,
  ...tokenRowsField,
}

/** An option that module methods share, as it is set. */
export const moduleSetting = <K extends keyof ModuleOptions>(
  options: Pick<ModuleOptions, K>,
  option: K,
): Setting => ({ option, field: fieldOf(moduleFields, option), value: options[option] })

/** What a field says, as the option has it; undefined where it says nothing. PEFT takes a layer index without a list. */
export function fieldValue(config: Readonly<Record<string, unknown>>, field: string): unknown {
  const value = config[field] ?? undefined
  return field === 'layers_to_transform' && typeof value === 'number' ? [value] : value
}

/** Whether a field asks for anything. */
export const isSet = (value: unknown) =>
  value !== undefined &&
  value !== null &&
  value !== false &&
  value !== '' &&
  !(typeof value === 'object' && Object.keys(value).length === 0)

/**
 * Options given beside an adapter replace those of its config, so a setting is the file's where that has the same value, and where
 * neither asks for anything.
 */
const isOf = ({ config }: AdapterSource, { field, value }: Setting): boolean =>
  same(fieldValue(config, field), value) || !(isSet(config[field]) || isSet(value))

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/**
 * Settings that cannot be used, one or several that exclude each other: `what` is given their names where they come from,
 * `peft.modulesToSave` or `modules_to_save of its config`, behind the adapter's path. IFT_ADAPTER_CONFIG where the adapter's config says all
 * of them, otherwise `code`.
 */
export function settingError(
  { adapter }: Pick<PeftContext, 'adapter'>,
  settings: Setting | readonly Setting[],
  code: ErrorCode,
  what: (...names: string[]) => string,
  hint: string,
): IftError {
  const all = [settings].flat() as readonly Setting[]
  const inFile = new Set(all.filter((one) => adapter !== undefined && isOf(adapter, one)))
  const names = all.map((one) => (inFile.has(one) ? `${one.field} of its config` : `peft.${one.option}`))
  return new IftError(
    inFile.size === all.length ? 'IFT_ADAPTER_CONFIG' : code,
    `${adapter && inFile.size ? `${adapter.path}: ` : ''}${what(...names)}`,
    hint,
  )
}

/**
 * The options that an adapter's config says. A method reads the fields without knowing whose they are: the path is put before its errors.
 */
export function optionsOf<O>(
  method: Pick<PeftMethod<O>, 'fromAdapterConfig'>,
  { config, path }: AdapterSource,
): O {
  try {
    return method.fromAdapterConfig(config)
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    throw new IftError(error.code, `${path}: ${error.message}`, error.hint, { cause: error })
  }
}
