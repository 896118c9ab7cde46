import { IftError } from '@ift/tensor'
import type { DatasetContext } from '../../contract/dataset.js'
import { firstFile, isMissing, type FileNames } from './files.js'
import type { RecordContext } from './read.js'

/**
 * What a record lacks and another file of the set has, such as the table that its question is about; undefined where there is none. It
 * is total as `Read` is, but for what is wrong with that file.
 */
export type Join = (record: unknown, files: Companions, context: RecordContext) => Promise<unknown>

/** Files by the split that is read: `train`, or the one that the user names. */
export type NamesOfSplit = (split: string) => FileNames

/** Contents of files that were used last and are kept: some tables, and what all records refer to. */
const mostKept = 256

/** Files of a dataset that its records refer to. */
export class Companions {
  readonly #name: string
  readonly #context: DatasetContext
  readonly #kept = new Map<string, Promise<unknown>>()
  /** Why the first file of one record that is not there is not. */
  #missing: IftError | undefined

  constructor(name: string, context: DatasetContext) {
    this.#name = name
    this.#context = context
  }

  get split(): string {
    return this.#context.split ?? 'train'
  }

  get missing(): IftError | undefined {
    return this.#missing
  }

  #once<T>(key: string, read: () => Promise<T>): Promise<T> {
    const before = this.#kept.get(key) as Promise<T> | undefined
    const made = before ?? read()
    this.#kept.delete(key)
    this.#kept.set(key, made)
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value!)
    return made
  }

  /** What `read` makes of a file that all records need. IFT_SOURCE_NOT_FOUND where it is absent. */
  needed<T>(kind: string, namesOf: NamesOfSplit, read: (path: string) => Promise<T>): Promise<T> {
    const names = namesOf(this.split)
    return this.#once(JSON.stringify([kind, names]), async () => {
      const found = await firstFile(this.#context, names, { everySplit: true })
      if (!(found instanceof IftError)) return read(found[0]!)
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `The dataset ${this.#name}: a file that its records refer to is missing: ${[names].flat().join(' or ')}. ${found.message}`,
        `Give the folder that holds all of them: data: { name: "${this.#name}", path: "…" }.`,
        { cause: found },
      )
    })
  }

  /** What `read` makes of a file that a record names, by its path; undefined where it is absent. */
  named<T>(
    kind: string,
    names: readonly string[],
    read: (path: string) => Promise<T>,
  ): Promise<T | undefined> {
    return this.#once(JSON.stringify([kind, names]), async () => {
      if (!names.every(isInside)) return undefined
      const found = await firstFile(this.#context, names, { everySplit: true, exact: true })
      if (!(found instanceof IftError))
        try {
          return await read(found[0]!)
        } catch (cause) {
          // An entry of an archive is found when it is read.
          if (!isMissing(cause)) throw cause
          this.#missing ??= cause
        }
      else this.#missing ??= found
      return undefined
    })
  }
}

/** Whether a path that a record holds stays within the set. */
const isInside = (path: string): boolean =>
  path.length <= 1000 &&
  !/^\/|^[A-Za-z]:|^hf:|[\\\0]/.test(path) &&
  path.split('/').every((part) => part !== '..' && part !== '')
