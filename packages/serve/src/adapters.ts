import { existsSync, realpathSync, statSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import type { OpenModel, TextGenerator } from '@ift/core'
import { adapterNamed, mostAdapters } from './adapter-folder.js'
import type { Models } from './models.js'
import type { ServeOptions } from './options.js'
import { HttpError, invalid } from './wire/errors.js'

/** Bytes that an adapter's values have in its file. */
function bytesOf(dir: string): number {
  const files = ['adapter_model.safetensors', 'adapter_model.bin'].map((name) => join(dir, name))
  const file = files.find((path) => existsSync(path))
  return file === undefined ? 0 : statSync(file).size
}

/** A quarter of what is free where the adapters lie. */
function roomFor({ backend }: Pick<OpenModel, 'backend'>): number {
  const { kind, memory } = backend.device
  const free = kind === 'cpu' || memory === undefined ? freemem() : memory - backend.memory().allocated
  return Math.max(0, free) / 4
}

/**
 * The adapters of a folder, which requests load and unload by name while the server runs, and those of runs, which the page loads: so many, and
 * of so many bytes, at a time.
 */
export class FolderAdapters {
  /** Null: none are loaded by name. */
  readonly #dir: string | null
  readonly #generator: TextGenerator
  readonly #models: Models
  readonly #most: number
  readonly #mostBytes: number
  /** Bytes of those that are loaded, by name. */
  readonly #loaded = new Map<string, number>()
  /** Folders of those that were loaded, by name. */
  readonly #places = new Map<string, string>()
  /** Names whose loading or unloading is under way. */
  readonly #busy = new Set<string>()

  constructor(
    dir: string | null,
    open: OpenModel,
    generator: TextGenerator,
    models: Models,
    { maxAdapters = mostAdapters, adapterBytes = roomFor(open) }: ServeOptions,
  ) {
    this.#dir = dir
    this.#generator = generator
    this.#models = models
    this.#most = maxAdapters
    for (const name of open.adapters?.names ?? []) {
      const path = dir === null ? null : adapterNamed(dir, name)
      if (path !== null) this.#loaded.set(name, bytesOf(path))
    }
    this.#mostBytes = Math.max(adapterBytes, this.#bytes)
  }

  get #bytes(): number {
    return [...this.#loaded.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  /** Throws 404 for a name that the folder does not have, 400 for one that is loaded or for which there is no room. */
  async load(name: string): Promise<void> {
    const dir = this.#dir === null ? null : adapterNamed(this.#dir, name)
    if (dir === null) throw this.#unknown(name)
    await this.loadFrom(name, dir)
  }

  /** The name by which the adapter of a folder was loaded; null where it was not. */
  nameOf(dir: string): string | null {
    for (const [name, place] of this.#places) if (place === dir) return name
    return null
  }

  /** Loads the adapter of a folder under a name. Throws 400 where the name is taken, there is no room, or it belongs to another model. */
  async loadFrom(name: string, dir: string): Promise<void> {
    if (this.#models.list().some(({ id }) => id === name))
      throw invalid('lora_name', `lora_name: "${name}" is loaded already.`)
    const bytes = bytesOf(dir)
    await this.#alone(name, async () => {
      if (this.#loaded.size >= this.#most)
        throw noRoom(`${this.#most} adapters are loaded, the limit: unload one before.`)
      if (this.#bytes + bytes > this.#mostBytes)
        throw noRoom(
          `The adapters would have more than ${Math.floor(this.#mostBytes)} bytes: unload one before.`,
        )
      this.#loaded.set(name, bytes)
      try {
        await this.#generator.loadAdapter(name, dir)
        this.#places.set(name, realpathSync(dir))
      } catch (error) {
        this.#loaded.delete(name)
        // What the error says may name files: it is in the log.
        throw new HttpError(
          400,
          'adapter_unusable',
          `The adapter "${name}" cannot be loaded; the log says why.`,
          {
            ...{ param: 'lora_name', cause: error },
          },
        )
      }
    })
  }

  /** Takes one off that the folder has brought; from now on it is no model. `unused`: resolves when no request uses it any more. */
  async unload(name: string, unused: () => Promise<void>): Promise<void> {
    if (!this.#loaded.has(name) || !this.#models.list().some(({ id }) => id === name))
      throw this.#unknown(name)
    await this.#alone(name, async () => {
      const show = this.#models.hide(name)
      try {
        await unused()
        await this.#generator.unloadAdapter(name)
        this.#loaded.delete(name)
        this.#places.delete(name)
      } finally {
        show()
      }
    })
  }

  /** One after the other of a name. */
  async #alone(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#busy.has(name)) throw invalid('lora_name', `lora_name: "${name}" is being loaded or unloaded.`)
    this.#busy.add(name)
    try {
      await work()
    } finally {
      this.#busy.delete(name)
    }
  }

  #unknown(name: string): HttpError {
    const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name
    return new HttpError(
      404,
      'adapter_not_found',
      `There is no adapter "${shown}" that can be loaded or unloaded.`,
      {
        ...{ param: 'lora_name', headers: { 'x-should-retry': 'false' } },
      },
    )
  }
}

const noRoom = (message: string) => new HttpError(400, 'adapters_full', message, { param: 'lora_name' })
