import { basename } from 'node:path'
import { IftError, type ExportedModel, type GgufDescription, type GgufValue } from '@ift/core'
import { isQuantized, numberOf, type FileType } from './file-types.js'

/** 135M, 7B, 1.5B: as sizes stand in the names of models. */
function sizeLabel(parameters: number): string {
  const [value, unit] =
    parameters >= 1e9
      ? [parameters / 1e9, 'B']
      : parameters >= 1e6
        ? [parameters / 1e6, 'M']
        : [parameters / 1e3, 'K']
  return `${value >= 10 ? Math.round(value) : Math.round(value * 10) / 10}${unit}`
}

/** `general.*` of a file with weights. */
function generalKeys(
  { model, name, adapterDir }: ExportedModel,
  { architecture }: GgufDescription,
  type: FileType,
): Record<string, GgufValue> {
  const base = basename(name.replace(/@[^/@]*$/, ''))
  const parameters = [...model.namedParameters()].reduce(
    (sum, [, { shape }]) => sum + shape.reduce((product, d) => product * d, 1),
    0,
  )
  return {
    'general.architecture': architecture,
    'general.type': 'model',
    'general.name': adapterDir === null ? base : `${base} with ${basename(adapterDir)}`,
    'general.basename': base,
    'general.size_label': sizeLabel(parameters),
    ...(adapterDir === null
      ? {}
      : { 'general.base_model.count': { u32: 1 }, 'general.base_model.0.name': base }),
    'general.file_type': { u32: numberOf(type) },
    ...(isQuantized(type) ? { 'general.quantization_version': { u32: 2 } } : {}),
  }
}

/** Keys of the tokenizer and of what ends a turn, and the template. */
function tokenizerKeys(
  { tokenizer, template, shape, learned, ends }: ExportedModel,
  pre: string | undefined,
): Record<string, GgufValue> {
  if (!tokenizer.gguf)
    throw new IftError(
      'IFT_EXPORT_UNSUPPORTED',
      'The tokenizer of the model is in no form that a GGUF file holds.',
      'Export the model with its own tokenizer: npx ift export hf DIR',
    )
  const keys = tokenizer.gguf(shape.vocab, pre)
  const { eosId } = tokenizer
  // llama.cpp ends at any of these.
  const others = [...new Set([...learned, ...ends])].filter((id) => id !== eosId && id < shape.vocab)
  const [turn, message] = others
  // What puts bos before every text would have two of them.
  const jinja = template.sources?.jinja(keys['tokenizer.ggml.add_bos_token'] !== true)
  return {
    ...keys,
    ...(eosId === null && turn !== undefined ? { 'tokenizer.ggml.eos_token_id': { u32: turn } } : {}),
    ...(turn === undefined ? {} : { 'tokenizer.ggml.eot_token_id': { u32: turn } }),
    ...(message === undefined ? {} : { 'tokenizer.ggml.eom_token_id': { u32: message } }),
    ...(jinja === undefined ? {} : { 'tokenizer.chat_template': jinja }),
  }
}

/** The metadata of a file with weights, in the order in which they are written. */
export function metadataOf(
  open: ExportedModel,
  description: GgufDescription,
  type: FileType,
  pre: string | undefined,
): Map<string, GgufValue> {
  const { architecture, keys, general = {} } = description
  return new Map(
    Object.entries({
      ...generalKeys(open, description, type),
      ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value])),
      ...general,
      ...tokenizerKeys(open, pre),
    }),
  )
}
