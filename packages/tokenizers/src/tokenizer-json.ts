/** The parts of Hugging Face's tokenizer.json that are read or written here; components pass through as they are. */
export interface AddedTokenJson {
  readonly id: number
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

/** A normalizer, pre-tokenizer, post-processor or decoder: `type` and what belongs to it. */
export interface ComponentJson {
  readonly type: string
  readonly [key: string]: unknown
}

/** Vocabularies by name; BPE's merges as pairs or, in older files, as 'left right'. */
export interface MapModelJson {
  readonly type?: string
  readonly vocab: Readonly<Record<string, number>>
  readonly merges?: readonly (readonly [string, string] | string)[]
  readonly unk_token?: string | null
  readonly [key: string]: unknown
}

/** Unigram: ids are positions. */
export interface UnigramModelJson {
  readonly type: 'Unigram'
  readonly vocab: readonly (readonly [string, number])[]
  readonly unk_id?: number | null
  readonly [key: string]: unknown
}

export type ModelJson = MapModelJson | UnigramModelJson

export interface TokenizerJson {
  readonly version: string
  readonly truncation: unknown
  readonly padding: unknown
  readonly added_tokens: readonly AddedTokenJson[]
  readonly normalizer: ComponentJson | null
  readonly pre_tokenizer: ComponentJson | null
  readonly post_processor: ComponentJson | null
  readonly decoder: ComponentJson | null
  readonly model: ModelJson
}

export const isUnigram = (model: ModelJson): model is UnigramModelJson => Array.isArray(model.vocab)

/** An added token with the flags that transformers gives special tokens. */
export const addedToken = (
  id: number,
  content: string,
  flags: Partial<Omit<AddedTokenJson, 'id' | 'content'>> = {},
): AddedTokenJson => ({
  id,
  content,
  single_word: flags.single_word ?? false,
  lstrip: flags.lstrip ?? false,
  rstrip: flags.rstrip ?? false,
  normalized: flags.normalized ?? false,
  special: flags.special ?? true,
})
