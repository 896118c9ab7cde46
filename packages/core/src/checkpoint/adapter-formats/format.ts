import type { AdapterSource } from '../../contract/peft.js'
import type { StoredTensor } from '../stored.js'
import { WeightSource } from '../weight-source.js'

export type AdapterConfig = Readonly<Record<string, unknown>>

/** A folder in which an adapter is looked for. */
export interface AdapterFolder {
  readonly dir: string
  /** Names of all that lies in it. */
  readonly names: readonly string[]
  /** adapter_config.json; null where there is none. */
  readonly config: AdapterConfig | null
}

/** An adapter and the files that it was read from, settings included. */
export type OpenAdapter = AdapterSource & { readonly files: readonly string[] }

/**
 * A way in which programs lay adapters into a folder. What it reads has the settings and tensor names that methods know:
 * `config.peft_type` says which method that is, `config.base_model_name_or_path` the base.
 */
export interface AdapterFormat {
  /** Its program, as messages name it. */
  readonly program: string
  /** Files of tensors, one of which is there; the preferred first. */
  readonly weights: readonly string[]
  /** Whether the folder is of this format, by its settings or its files. */
  fits(folder: AdapterFolder): boolean | Promise<boolean>
  /** `weights` is the file of tensors. */
  open(folder: AdapterFolder, weights: string): Promise<OpenAdapter>
}

/** A format that adapters are written in as well. */
export interface WritableFormat extends AdapterFormat {
  /** The file of tensors: safetensors. */
  readonly written: string
  /** What adapter_config.json holds of the settings that `open` gives. */
  settings(config: AdapterConfig): AdapterConfig
}

/** An adapter whose tensors are read when they are asked for. */
export class StoredAdapter implements OpenAdapter {
  readonly #source: WeightSource

  constructor(
    readonly path: string,
    readonly files: readonly string[],
    readonly config: AdapterConfig,
    tensors: ReadonlyMap<string, StoredTensor>,
  ) {
    this.#source = new WeightSource(path, 'safetensors', tensors)
  }

  names(): Iterable<string> {
    return this.#source.names()
  }

  shape(name: string): readonly number[] {
    return this.#source.info(name).shape
  }

  read(name: string): Promise<Float32Array> {
    return this.#source.read(name)
  }
}
