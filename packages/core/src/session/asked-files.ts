import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { array, boolean, object, string } from 'zod'
import type { DatasetContext } from '../contract/dataset.js'
import { hashFiles } from '../data/build.js'
import { dataFiles, fileOf, FileStamps } from '../data/read/index.js'
import { touchFile } from '../data/store/index.js'
import { writeFileAtomic } from '../files/atomic.js'
import { isPattern } from '../files/pattern.js'
import { readJson } from '../files/read-json.js'
import { readRegular } from '../files/regular-file.js'
import type { PluginOrigin } from '../plugin/resolve.js'
import { version } from '../version.js'

/** Code of a package that is looked at to tell whether it is the same: some datasets have tables of texts in theirs. */
const mostCodeBytes = 16 << 20
const mostCodeFiles = 1024

/** Gives the place of a file of a dataset, as `DatasetContext.file`. */
type Locate = DatasetContext['file']

/** A file that a dataset asked for, and whether it was there. */
interface Asked {
  readonly name: string
  readonly hub: string
  readonly everySplit: boolean
  readonly found: boolean
}

const askedShape = array(object({ name: string(), hub: string(), everySplit: boolean(), found: boolean() }))

/**
 * The files that a dataset of a package asks for while its examples are read. They are remembered, so that the next time it is known what
 * the examples are made of before they are read: the package by version and code, the choice that the config makes, and these files by
 * their contents.
 */
export class AskedFiles {
  readonly #locate: Locate
  /** Where they are remembered; null where nothing says whether the package is the same. */
  readonly #path: string | null
  readonly #identity: string
  readonly #asked = new Map<
    string,
    { readonly asked: Asked; readonly path: string | null; readonly stamps: FileStamps }
  >()

  private constructor(locate: Locate, path: string | null, identity: string) {
    this.#locate = locate
    this.#path = path
    this.#identity = identity
  }

  /** `choice` is what besides the files decides the examples. */
  static async of(
    dir: string,
    origin: PluginOrigin | null,
    choice: readonly unknown[],
    locate: Locate,
  ): Promise<AskedFiles> {
    const code = origin && (await codeOf(origin.file))
    const identity = createHash('sha256')
      .update(JSON.stringify(['asked-1', version, origin?.package, origin?.version, code, choice]))
      .digest('hex')
    return new AskedFiles(locate, code && join(dir, `${identity.slice(0, 40)}.asked`), identity)
  }

  /** `DatasetContext.file`. */
  async file(name: string, hub?: string, how: { readonly everySplit?: boolean } = {}): Promise<string> {
    const remember = async (path: string | null) => {
      const { everySplit = false } = how
      const asked = { name, hub: hub ?? '', everySplit, found: path !== null }
      const place = JSON.stringify(asked)
      if (this.#asked.has(place)) return
      this.#asked.set(place, {
        asked,
        path,
        stamps: await stampsOf(path),
      })
    }
    try {
      const path = await this.#locate(name, hub, how)
      await remember(path)
      return path
    } catch (error) {
      if (isMissing(error)) await remember(null)
      throw error
    }
  }

  /** The key of the examples, as far as it is known before they are read. */
  async known(): Promise<string | null> {
    if (this.#path === null) return null
    try {
      const paths: string[] = []
      for (const { name, hub, everySplit, found } of await readJson(this.#path, askedShape)) {
        const path = await this.#locate(name, hub || undefined, { everySplit }).catch((error: unknown) => {
          if (!isMissing(error)) throw error
          return null
        })
        if ((path !== null) !== found) return null
        if (path !== null) paths.push(path)
      }
      const key = await this.#keyOf(paths)
      await touchFile(this.#path)
      return key
    } catch {
      // Whatever it is, it will be seen when they are read.
      return null
    }
  }

  /** The key of the examples that were read, with their files remembered; null of a dataset that asked for none. */
  async remember(): Promise<string | null> {
    const all = [...this.#asked.values()]
    const found = all.filter((one) => one.path !== null)
    if (this.#path === null || found.length === 0) return null
    const key = await this.#keyOf(found.map(({ path }) => path!))
    for (const { path, stamps } of found)
      for (const file of await filesOf(path!)) await stamps.check(fileOf(file).file)
    await writeFileAtomic(this.#path, JSON.stringify(all.map(({ asked }) => asked)))
    return key
  }

  async #keyOf(paths: readonly string[]): Promise<string> {
    const files: string[] = []
    for (const path of paths) files.push(...(await filesOf(path)))
    return JSON.stringify([this.#identity, files.length, await hashFiles(files)])
  }
}

/** The files that a place leads to: itself, or those that a pattern matches. */
const filesOf = async (path: string): Promise<readonly string[]> =>
  isPattern(path) && !existsSync(fileOf(path).file) ? dataFiles(path) : [path]

const stampsOf = async (path: string | null): Promise<FileStamps> =>
  FileStamps.of(path === null ? [] : (await filesOf(path)).map((file) => fileOf(file).file))

const isMissing = (error: unknown) => error instanceof IftError && error.code === 'IFT_SOURCE_NOT_FOUND'

/** sha256 of the code in the folder of a package's file; null where it is too much to look at. */
async function codeOf(file: string): Promise<string | null> {
  const hash = createHash('sha256')
  let [bytes, files] = [0, 0]
  const root = dirname(file)
  for (const entry of (await readdir(root, { recursive: true, withFileTypes: true })).sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || !/\.([cm]?[jt]s|json)$/.test(entry.name)) continue
    if (++files > mostCodeFiles) return null
    const code = await readRegular(path, mostCodeBytes)
    if ((bytes += code.length) > mostCodeBytes) return null
    hash.update(`${path.slice(root.length)}\0${code.length}\0`).update(code)
  }
  return hash.digest('hex')
}
