import { IftError, type Tokenizer } from '@ift/core'
import { corrupt } from './errors.js'
import { checkParts } from './library-faults.js'
import { policyOfFamily, policyOfPostProcessor, templateProcessing } from './policy.js'
import { savedConfig } from './saved-config.js'
import { noSettings, type SpecialName, type TokenizerSettings } from './settings.js'
import { addedToken, type AddedTokenJson, type TokenizerJson } from './tokenizer-json.js'
import type { Piece } from './sentencepiece/model.js'
import { BoundTokenizer } from './tokenizer.js'
import { vocabularyOf } from './vocabulary.js'

/** Texts of special tokens by role; early conversions leave some empty. */
type Names = Readonly<Partial<Record<SpecialName, string | undefined>>>

const named = (names: Names): Partial<Record<SpecialName, string>> =>
  Object.fromEntries(Object.entries(names).filter(([, text]) => Boolean(text)))

/** Parts of a tokenizer, from any kind of file. */
export interface TokenizerParts {
  readonly json: TokenizerJson
  /** File that errors name. */
  readonly file: string
  /** Pieces of the SentencePiece model that `json` was made from, where it was. */
  readonly pieces?: () => readonly Piece[]
  readonly settings?: TokenizerSettings
  /** Values of the tokenizer's own file; the settings win where they name a token that exists. */
  readonly own?: {
    readonly bosId?: number | null
    readonly eosId?: number | null
    readonly addBos?: boolean
    readonly addEos?: boolean
    readonly chatTemplate?: string | null
    /** Text of special tokens other than bos and eos. */
    readonly names?: Names
    /** Tokens that a model was made for. */
    readonly maxLength?: number | undefined
    /** Special tokens around a prompt. */
    readonly frame?: { readonly before: readonly string[]; readonly after: readonly string[] }
  }
  /** Files to write beside or instead of the generated ones when it is saved, by name. */
  readonly files?: ReadonlyMap<string, Uint8Array>
}

/** Names that published tokenizers give their first and last token, for files that do not say. */
const usual = {
  bos_token: ['<s>', '<|begin_of_text|>', '<bos>', '<|startoftext|>'],
  eos_token: ['</s>', '<|endoftext|>', '<|end_of_text|>', '<eos>'],
} as const

/** Added tokens of the tokenizer and of the files beside it, in the order of their ids. */
function mergeAdded(
  json: TokenizerJson,
  tokens: readonly (string | undefined)[],
  file: string,
  settings: TokenizerSettings,
): AddedTokenJson[] {
  const added = new Map(json.added_tokens.map((token) => [token.content, token]))
  const vocabulary = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (token !== undefined) vocabulary.set(token, id)
  const specials = new Set([...Object.values(settings.names), ...settings.additional])
  for (const { id, content, ...flags } of settings.added) {
    const present = vocabulary.get(content)
    if (present !== undefined && present !== id)
      throw corrupt(
        settings.file,
        `added token ${JSON.stringify(content)}`,
        `its id is ${id} here and ${present} in ${file}.`,
      )
    const special = flags.special ?? (added.get(content)?.special === true || specials.has(content))
    added.set(content, addedToken(id, content, { ...added.get(content), ...flags, special }))
    vocabulary.set(content, id)
  }
  let next = Math.max(tokens.length - 1, ...[...added.values()].map(({ id }) => id)) + 1
  for (const content of specials) {
    let id = vocabulary.get(content)
    if (id === undefined) {
      // transformers appends these; the others are settled below, or of no use here.
      if (!settings.additional.includes(content)) continue
      id = next++
    }
    added.set(content, addedToken(id, content, { ...added.get(content), special: true }))
  }
  return [...added.values()].sort((a, b) => a.id - b.id)
}

/** The vocabulary with the tokens that only the files beside it know. */
const withAdded = (tokens: readonly (string | undefined)[], json: TokenizerJson, file: string) =>
  json.added_tokens.every(({ id, content }) => tokens[id] === content) ? tokens : vocabularyOf(json, file)

/** Special tokens by role: those that have a name, and bos and eos as they were settled. */
function rolesOf(
  names: Names,
  bosId: number | null,
  eosId: number | null,
  vocabulary: readonly (string | undefined)[],
): Partial<Record<SpecialName, string>> {
  return named({
    ...names,
    bos_token: bosId === null ? undefined : vocabulary[bosId],
    eos_token: eosId === null ? undefined : vocabulary[eosId],
  })
}

/**
 * A tokenizer of its parts. Throws IFT_FILE_CORRUPT naming file and field for what cannot be, IFT_TOKENIZER_SPECIAL when
 * the settings name a bos or eos that no file knows.
 */
export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { file, own = {} } = parts
  checkParts(parts.json, file)
  const stated = parts.settings ?? noSettings(file)
  // A role that the config leaves empty on purpose stays empty.
  const open = Object.entries(own.names ?? {}).filter(([name]) => stated.config[name] !== null)
  const settings = { ...stated, names: { ...named(Object.fromEntries(open)), ...named(stated.names) } }
  const tokens = vocabularyOf(parts.json, file)
  let json: TokenizerJson = { ...parts.json, added_tokens: mergeAdded(parts.json, tokens, file, settings) }
  const vocabulary = withAdded(tokens, json, file)
  const ids = new Map(json.added_tokens.map(({ content, id }) => [content, id]))
  const processed = policyOfPostProcessor(json.post_processor)

  const idOf = (
    name: 'bos_token' | 'eos_token',
    ownId: number | null | undefined,
    processor: string | null,
  ) => {
    const text = settings.names[name]
    if (text !== undefined && text !== '') {
      const id = ids.get(text)
      if (id !== undefined) return id
      if (ownId !== undefined) return ownId
      throw new IftError(
        'IFT_TOKENIZER_SPECIAL',
        `${settings.file}: ${name}: ${JSON.stringify(text)} is not in the vocabulary of ${file}.`,
        `Set "${name}" to a token of the vocabulary, or remove the line.`,
      )
    }
    if (ownId !== undefined) return ownId
    if (processor !== null) return ids.get(processor) ?? null
    const known = usual[name].find((candidate) => ids.has(candidate))
    return known === undefined ? null : ids.get(known)!
  }
  const bosId = idOf('bos_token', own.bosId, processed?.first ?? null)
  const eosId = idOf('eos_token', own.eosId, processed?.last ?? null)
  for (const [name, id] of [
    ['bos', bosId],
    ['eos', eosId],
  ] as const)
    if (id !== null && vocabulary[id] === undefined)
      throw corrupt(file, name, `the id ${id} is not in the vocabulary of ${vocabulary.length} tokens.`)

  // A bos or eos that only its own file knows is special all the same.
  const missing = [bosId, eosId].filter(
    (id): id is number => id !== null && !json.added_tokens.some((t) => t.id === id && t.special),
  )
  if (missing.length > 0) {
    const rest = json.added_tokens.filter(({ id }) => !missing.includes(id))
    const added = [...new Set(missing)].map((id) => addedToken(id, vocabulary[id]!))
    json = { ...json, added_tokens: [...rest, ...added].sort((a, b) => a.id - b.id) }
  }
  const family = policyOfFamily(settings.tokenizerClass)
  const addBos =
    bosId !== null && (settings.addBos ?? own.addBos ?? processed?.addBos ?? family?.addBos ?? false)
  const addEos =
    eosId !== null && (settings.addEos ?? own.addEos ?? processed?.addEos ?? family?.addEos ?? false)
  const framed = own.frame ?? processed?.frame
  const specialOf = (text: string) => {
    const token = json.added_tokens.find(({ content }) => content === text)
    if (!token) throw corrupt(file, 'post_processor', `${JSON.stringify(text)} is not a special token.`)
    return { id: token.id, text }
  }
  const frame = framed && { before: framed.before.map(specialOf), after: framed.after.map(specialOf) }
  const around = (adds: boolean, id: number | null) => (adds ? [{ id: id!, text: vocabulary[id!]! }] : [])
  json = {
    ...json,
    post_processor:
      json.post_processor ??
      templateProcessing(frame?.before ?? around(addBos, bosId), frame?.after ?? around(addEos, eosId)),
  }
  const chatTemplate = settings.chatTemplate ?? own.chatTemplate ?? null
  return new BoundTokenizer({
    json,
    file,
    pieces: parts.pieces,
    vocabulary,
    bosId,
    eosId,
    addBos,
    addEos,
    frame: frame && { before: frame.before.map(({ id }) => id), after: frame.after.map(({ id }) => id) },
    chatTemplate,
    named: new Map([...Object.entries(named(own.names ?? {})), ...settings.named]),
    config: savedConfig({
      settings,
      names: rolesOf(settings.names, bosId, eosId, vocabulary),
      added: json.added_tokens,
      addBos,
      addEos,
      chatTemplate,
      maxLength: own.maxLength,
    }),
    files: new Map([...settings.files, ...(parts.files ?? [])]),
  })
}
