import { basename } from 'node:path'
import { baseName, IftError, type AdapterChoice, type OpenModel } from '@ift/core'
import { HttpError } from './wire/errors.js'
import type { ServeOptions } from './options.js'

/** A model as clients name it. */
export interface ServedModel {
  readonly id: string
  /** Of several adapters, the one that answers; undefined where there is no choice. */
  readonly adapter: AdapterChoice | undefined
}

/** The base and its adapters, by the names in `model`. */
export class Models {
  readonly #open: OpenModel
  readonly base: ServedModel
  readonly #hidden = new Set<string>()

  constructor(open: OpenModel, { name }: ServeOptions) {
    this.#open = open
    const id = name ?? publicName(open.name)
    if (open.adapters?.names.includes(id) === true)
      throw new IftError(
        'IFT_ADAPTER_NAME',
        `An adapter has the name of the model, "${id}": requests could not tell which is meant.`,
        'Give the model another one: --name NAME',
      )
    this.base = { id, adapter: open.adapters ? null : undefined }
  }

  /** All of them, the base first. */
  list(): readonly ServedModel[] {
    const names = this.#open.adapters?.names ?? []
    return [this.base, ...names.filter((id) => !this.#hidden.has(id)).map((id) => ({ id, adapter: id }))]
  }

  /** Lets an adapter be none of them, until the returned function is called. */
  hide(id: string): () => void {
    this.#hidden.add(id)
    return () => {
      this.#hidden.delete(id)
    }
  }

  /** The one of a request; the base where it names none. 404 for one that there is not. */
  named(model: string | undefined): ServedModel {
    if (model === undefined || model === '') return this.base
    const found = this.list().find(({ id }) => id === model)
    if (found) return found
    if (model === baseName) return this.base
    const names = this.list().map(({ id }) => `"${id}"`)
    const shown = model.length > 100 ? `${model.slice(0, 100)}…` : model
    throw new HttpError(404, 'model_not_found', `There is no model "${shown}": ${names.join(', ')}.`, {
      param: 'model',
      headers: { 'x-should-retry': 'false' },
    })
  }
}

/** An id on the hub as it is; of a path the last part, because the others are nobody's business. */
const publicName = (name: string): string =>
  /^[\w.-]+\/[\w.-]+$/.test(name) && !/^\.{1,2}\//.test(name) ? name : basename(name) || baseName
