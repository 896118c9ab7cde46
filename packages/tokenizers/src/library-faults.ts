import type { NativeTokenizer } from './addon.js'
import { corrupt, kindOf, unsupported } from './errors.js'
import { CharsMap } from './sentencepiece/chars-map.js'
import { isUnigram, type ComponentJson, type ModelJson, type TokenizerJson } from './tokenizer-json.js'

// The tokenizers library panics on some files. The add-on makes an error of a panic, which names neither file nor field; what the library
// panics on is refused here before it is handed over. Found by trying every component with values at their bounds.

/** A component and those inside it, with the paths of their fields. */
function* componentsOf(component: unknown, path: string): Generator<readonly [ComponentJson, string]> {
  if (typeof component !== 'object' || component === null) return
  yield [component as ComponentJson, path]
  for (const field of ['normalizers', 'pretokenizers', 'processors', 'decoders']) {
    const inner = (component as ComponentJson)[field]
    if (Array.isArray(inner))
      for (const [i, part] of (inner as unknown[]).entries())
        yield* componentsOf(part, `${path}.${field}[${i}]`)
  }
}

/** Parts of a component, at all depths; a text goes through each. The replacements of ChatGLM's blanks are 83. */
const mostParts = 256

/** Throws IFT_TOKENIZER_UNSUPPORTED for a component of more parts. Comes before anything that goes through them. */
export function checkParts(json: TokenizerJson, file: string): void {
  for (const field of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'] as const) {
    let parts = 0
    for (const [, path] of componentsOf(json[field], field))
      if (++parts > mostParts)
        throw unsupported(
          file,
          path,
          `expected at most ${mostParts} parts of the ${field}, found more.`,
          'Take the tokenizer files of the original model.',
        )
  }
}

/** The bytes of a normalisation map. Throws IFT_FILE_CORRUPT for a text that is not base64. */
export function charsMapBytes(component: ComponentJson, path: string, file: string): Buffer {
  const field = `${path}.precompiled_charsmap`
  const text = component['precompiled_charsmap']
  if (typeof text !== 'string')
    throw corrupt(file, field, `expected a text in base64, found ${kindOf(text)}.`)
  const bytes = Buffer.from(text, 'base64')
  // Node passes over what is no base64, the library does not.
  if (bytes.toString('base64') !== text)
    throw corrupt(file, field, 'expected a text in base64, found other characters or a wrong end.')
  return bytes
}

function checkNormalizer(component: ComponentJson, path: string, file: string): void {
  if (component.type === 'Precompiled')
    new CharsMap(charsMapBytes(component, path, file), file, `${path}.precompiled_charsmap`).check()
}

function checkPreTokenizer({ type, length }: ComponentJson, path: string, file: string): void {
  if (type === 'FixedLength' && length === 0)
    throw corrupt(file, `${path}.length`, 'expected a whole number from 1, found 0.')
}

/** It takes `stop` characters off the end of a token without asking whether there are so many. */
function checkDecoder({ type, stop }: ComponentJson, path: string, file: string): void {
  if (type === 'Strip' && typeof stop === 'number' && stop > 0)
    throw unsupported(file, `${path}.stop`, `expected 0, found ${stop}.`)
}

/** Of the second token of a pair, it cuts off as many bytes as the prefix has without looking at them. */
function checkMerges(model: ModelJson, file: string): void {
  if (isUnigram(model)) return
  const prefix = model['continuing_subword_prefix']
  if (typeof prefix !== 'string' || prefix === '') return
  const length = Buffer.byteLength(prefix)
  for (const [i, pair] of (model.merges ?? []).entries()) {
    const right = Buffer.from(typeof pair === 'string' ? (pair.split(' ')[1] ?? '') : pair[1])
    if (right.length < length || (right[length]! & 0xc0) === 0x80)
      throw corrupt(
        file,
        `model.merges[${i}]`,
        `${JSON.stringify(right.toString())} does not begin with the prefix ${JSON.stringify(prefix)}.`,
      )
  }
}

/** Throws for a file that would end the process when it is opened or used. */
export function checkComponents(json: TokenizerJson, file: string): void {
  for (const [component, path] of componentsOf(json.normalizer, 'normalizer'))
    checkNormalizer(component, path, file)
  for (const [component, path] of componentsOf(json.pre_tokenizer, 'pre_tokenizer'))
    checkPreTokenizer(component, path, file)
  for (const [component, path] of componentsOf(json.decoder, 'decoder')) checkDecoder(component, path, file)
  checkMerges(json.model, file)
}

/** Added tokens that are looked for in normalised text: one that the normaliser makes nothing of is found everywhere. */
export function checkAddedTokens(
  binding: NativeTokenizer,
  added: TokenizerJson['added_tokens'],
  file: string,
): void {
  for (const { content, normalized } of added)
    if (normalized && content !== '' && binding.normalize(content) === '')
      throw corrupt(
        file,
        'added_tokens',
        `the normalizer leaves nothing of ${JSON.stringify(content)}, which is to be found in normalised text.`,
      )
}
