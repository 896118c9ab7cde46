import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { IftError, type Backend, type FloatDType, type Tensor } from '@ift/tensor'
import { suggest } from '../suggest.js'
import { readBytes } from '../files/read-bytes.js'
import { loadStored, readValues, sizeOf, storedParts, type StoredTensor } from './stored.js'

/** Bytes of a tensor that stand for it in a sample. */
const sampleBytes = 1024

export type CheckpointFormat = 'safetensors' | 'pytorch' | 'gguf'

/** The tensors of a checkpoint, read when they are asked for. It holds no file open. */
export class WeightSource {
  constructor(
    /** File or folder that was opened. */
    readonly path: string,
    readonly format: CheckpointFormat,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    /** Metadata of a GGUF file. */
    readonly metadata: ReadonlyMap<string, unknown> = new Map(),
    /** Whether a GGUF file's tensors were given the names of the family (`mapGguf`). */
    readonly isMapped = false,
  ) {}

  /** Metadata of a GGUF file; null for other formats. */
  get gguf(): { readonly architecture: string; readonly metadata: ReadonlyMap<string, unknown> } | null {
    if (this.format !== 'gguf') return null
    const architecture = this.metadata.get('general.architecture')
    return { architecture: typeof architecture === 'string' ? architecture : '', metadata: this.metadata }
  }

  names(): Iterable<string> {
    return this.tensors.keys()
  }

  has(name: string): boolean {
    return this.tensors.has(name)
  }

  /** Type, shape and place of a tensor; `IFT_WEIGHTS_MISSING` when there is none of this name. */
  info(name: string): StoredTensor {
    const tensor = this.tensors.get(name)
    if (tensor !== undefined) return tensor
    const near = suggest(name, this.tensors.keys())
    throw new IftError(
      'IFT_WEIGHTS_MISSING',
      `${this.path} has no tensor ${name}`,
      near === null ? undefined : `Did you mean ${near}?`,
    )
  }

  /** The tensor on a device: mapped in place when the file has it in `dtype`, else converted piece by piece. */
  load(name: string, backend: Backend, dtype: FloatDType): Promise<Tensor> {
    return loadStored(this.info(name), backend, dtype)
  }

  /** The values as f32. */
  read(name: string): Promise<Float32Array> {
    return readValues(this.info(name))
  }

  /**
   * sha256 over the first bytes of every tensor: another for a checkpoint of the same shapes that was trained further, at the
   * cost of a small read for each tensor.
   */
  async sample(): Promise<string> {
    const hash = createHash('sha256')
    for (const [name, tensor] of this.tensors) {
      hash.update(`${name}\n`)
      for (const { file, offset, bytes } of storedParts(tensor))
        hash.update(await readBytes(file, offset, Math.min(bytes, sampleBytes)))
    }
    return hash.digest('hex')
  }

  /** `model.safetensors: 12 tensors, 3,456 parameters, BF16`. */
  describe(): string {
    let parameters = 0
    const types = new Set<string>()
    const files = new Set<string>()
    for (const tensor of this.tensors.values())
      for (const { shape, dtype, file } of storedParts(tensor)) {
        parameters += sizeOf(shape)
        types.add(dtype)
        files.add(file)
      }
    const where = files.size > 1 ? `${basename(this.path)} (${files.size} files)` : basename(this.path)
    return `${where}: ${this.tensors.size} tensors, ${parameters.toLocaleString('en')} parameters, ${[...types].join(', ')}`
  }
}
