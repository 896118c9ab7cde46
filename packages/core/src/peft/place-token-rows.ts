import {
  Embedding,
  Linear,
  replaceModules,
  TiedLinear,
  type CausalLM,
  type IftError,
  type Module,
} from '@ift/tensor'
import type { PeftContext } from '../contract/index.js'
import type { ModuleOptions } from './options.js'
import { moduleSetting, settingError, type Setting } from './setting.js'
import { tiedHead, untied } from './tied.js'
import { TokenRows } from './token-rows.js'
import { TokenRowsHead } from './token-rows-head.js'

/** Rows to train of the tables of embeddings and of heads. */
export interface TokenRowsRequest {
  /** What asks for them, which errors name. */
  readonly setting: Setting
  /** Token ids by the path of the module. */
  readonly indices: ReadonlyMap<string, readonly number[]>
  /** End of the names of the tensors in the adapter file. */
  readonly fileName: string
  /** Whether a tied head has its rows in the file under its own name too. */
  readonly repeated: boolean
  /** What refuses other rows of a tied head than of its embedding; nothing when absent. */
  readonly tiedAlone?: Setting
}

export type TokenRowsLayer = TokenRows | TokenRowsHead

/**
 * Puts trained rows on embeddings and heads, by their paths, and adds each layer to `layers` when it is made. A head that is tied to such
 * an embedding has its rows, unless others are asked for. Throws IFT_PEFT_TARGET for a module without a table, and IFT_PEFT_OPTIONS for
 * an id that a table does not have; where an adapter's config says so it is IFT_ADAPTER_CONFIG.
 */
export function placeTokenRows(
  layers: Map<string, TokenRowsLayer>,
  model: CausalLM,
  request: TokenRowsRequest,
  {
    options,
    context,
  }: { readonly options: ModuleOptions; readonly context: Pick<PeftContext, 'adapter' | 'dtype'> },
): void {
  const { setting, indices, fileName } = request
  const modules = new Map<string, Module>(model.namedModules())
  const refuse: Refuse = (what, hint) => settingError(context, setting, 'IFT_PEFT_OPTIONS', what, hint)
  const tied = tiedHead(model)
  const place = (path: string, layer: TokenRowsLayer) => {
    layers.set(path, layer)
    replaceModules(
      model,
      (at) => at === path,
      () => layer,
    )
  }
  for (const [path, ids] of indices) {
    const module = modules.get(path)
    if (!(module instanceof Embedding || module instanceof Linear || module instanceof TiedLinear))
      throw settingError(
        context,
        module && 'base_layer' in module ? [setting, moduleSetting(options, 'targetModules')] : setting,
        'IFT_PEFT_TARGET',
        (rows, ...by) =>
          `${rows} means "${path}", which is neither an embedding nor a head with a table of its own${by.length ? `: it is adapted (${by.join()})` : ''}.`,
        'Name an embedding or the head; the method must not adapt it in another way.',
      )
    expectRows(ids, module instanceof Embedding ? module.count : module.outFeatures, path, refuse)
  }
  for (const [path, ids] of indices) {
    const module = modules.get(path)
    if (module instanceof Embedding) place(path, new TokenRows(module, ids, fileName, context.dtype))
  }
  const follows = tied && layers.get(tied.embeddingPath)
  for (const [path, ids] of indices) {
    const module = modules.get(path)
    if (path === tied?.path) {
      if (follows && ids.join() === follows.indices.join()) continue
      if (follows && request.tiedAlone)
        throw settingError(
          context,
          [setting, request.tiedAlone],
          'IFT_PEFT_OPTIONS',
          (rows, tying) =>
            `${rows} has other ids for "${path}" than for "${tied.embeddingPath}", whose table it reads (${tying}).`,
          'Give both the same ids, or leave out peft.ensureWeightTying.',
        )
      place(path, new TokenRowsHead(untied(tied.head, tied.head.embedding.weight), ids, fileName))
    } else if (module instanceof Linear) place(path, new TokenRowsHead(module, ids, fileName))
  }
  if (tied && follows instanceof TokenRows && !layers.has(tied.path)) {
    const { head } = tied
    const base = untied(head, head.embedding.weight)
    place(
      tied.path,
      new TokenRowsHead(base, follows.indices, fileName, { head, rows: follows, repeated: request.repeated }),
    )
  }
}

type Refuse = (what: (name: string) => string, hint: string) => IftError

function expectRows(ids: readonly number[], count: number, path: string, refuse: Refuse): void {
  const beyond = ids.find((id) => !(id >= 0 && id < count))
  if (beyond !== undefined)
    throw refuse(
      (name) =>
        `${name} has the token id ${beyond}, and the table of "${path}" has the rows 0 to ${count - 1}: rows are trained, none are added.`,
      `Give the new tokens ids below ${count}, where a checkpoint often has spare rows, or start from a checkpoint with a larger table.`,
    )
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined)
    throw refuse((name) => `${name} has the token id ${twice} twice for "${path}".`, 'Name every token once.')
  if (!ids.length)
    throw refuse((name) => `${name} names no token for "${path}".`, 'Name at least one token id.')
}
