import { IftError, type ErrorCode } from '@ift/tensor'
import type { AdapterSource, PeftContext, PeftMethod } from '../contract/index.js'

/** A setting of a method: the option, the field of an adapter's config that says the same, and its value. */
export interface Setting {
  readonly option: string
  readonly field: string
  readonly value: unknown
}

/** Options given beside an adapter replace those of its config, so a setting is the file's where that has the same value. */
const isOf = ({ config }: AdapterSource, { field, value }: Setting): boolean =>
  config[field] !== undefined && JSON.stringify(config[field]) === JSON.stringify(value)

/**
 * A setting as errors name it where it comes from, `peft.modulesToSave` or `modules_to_save` of the adapter's config, and what is wrong
 * with it: IFT_ADAPTER_CONFIG with the adapter's path for a setting of the file, otherwise `code`.
 */
export function settingError(
  { adapter }: Pick<PeftContext, 'adapter'>,
  setting: Setting,
  code: ErrorCode,
  what: (name: string) => string,
  hint: string,
): IftError {
  return adapter && isOf(adapter, setting)
    ? new IftError('IFT_ADAPTER_CONFIG', `${adapter.path}: ${what(`${setting.field} of its config`)}`, hint)
    : new IftError(code, what(`peft.${setting.option}`), hint)
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
