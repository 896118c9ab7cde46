import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { corrupt, messageOf } from './errors.js'
import type { Policy } from './hf-tokenizer.js'
import type { ComponentJson, TokenizerJson } from './tokenizer-json.js'

type Json = Readonly<Record<string, unknown>>

/** A JSON object in a file, or null when there is none. */
export async function readJsonFile(path: string): Promise<Json | null> {
  if (!existsSync(path)) return null
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw corrupt(path, '', `is not JSON: ${messageOf(cause)}`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corrupt(path, '', 'is not a JSON object.')
  return value as Json
}

/** A special token as transformers writes it: its text, or an object with `content`. */
const tokenText = (value: unknown): string | null =>
  typeof value === 'string'
    ? value
    : typeof value === 'object' &&
        value !== null &&
        typeof (value as { content?: unknown }).content === 'string'
      ? (value as { content: string }).content
      : null

/** Tokens that a TemplateProcessing puts before and after a text. */
function templateTokens(component: ComponentJson | null): { before: string | null; after: string | null } {
  const steps =
    component?.type === 'Sequence'
      ? (component['processors'] as readonly ComponentJson[])
      : component
        ? [component]
        : []
  const template = steps.find(({ type }) => type === 'TemplateProcessing')
  const single = (template?.['single'] ?? []) as readonly {
    SpecialToken?: { id: string }
    Sequence?: unknown
  }[]
  const at = single.findIndex(({ Sequence }) => Sequence !== undefined)
  const name = (part: (typeof single)[number] | undefined) => part?.SpecialToken?.id ?? null
  return { before: at > 0 ? name(single[at - 1]) : null, after: at >= 0 ? name(single[at + 1]) : null }
}

/** Classes of tokenizers that put bos in front unless told otherwise. */
const bosByDefault = /^(Llama|LLaMA|CodeLlama|Gemma)/

/** `chat_template`: a text, or named ones of which `default` is meant; a file of its own wins. */
async function chatTemplateOf(dir: string, config: Json): Promise<string | null> {
  const file = join(dir, 'chat_template.jinja')
  if (existsSync(file)) return readFile(file, 'utf8')
  const value = config['chat_template']
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return null
  const named = value as readonly { name?: unknown; template?: unknown }[]
  const chosen = named.find(({ name }) => name === 'default') ?? named[0]
  return typeof chosen?.template === 'string' ? chosen.template : null
}

/** Reads what tokenizer_config.json and special_tokens_map.json say, and falls back on the tokenizer itself. */
export async function readPolicy(
  dir: string,
  json: TokenizerJson,
  originals: readonly string[] = [],
): Promise<Policy> {
  const config = (await readJsonFile(join(dir, 'tokenizer_config.json'))) ?? {}
  const map = (await readJsonFile(join(dir, 'special_tokens_map.json'))) ?? {}
  const { before, after } = templateTokens(json.post_processor)
  const known = new Set(json.added_tokens.map(({ content }) => content))
  const vocab = json.model.vocab
  const exists = (token: string | null): token is string =>
    token !== null &&
    token !== '' &&
    (known.has(token) || (!Array.isArray(vocab) && Object.hasOwn(vocab, token)))
  const pick = (name: string, ...others: (string | null)[]) =>
    [tokenText(config[name]), tokenText(map[name]), ...others].find(exists) ?? null
  const bos = pick('bos_token', before, '<s>')
  const eos = pick('eos_token', after, '</s>')
  const flag = (name: string) => (typeof config[name] === 'boolean' ? config[name] : null)
  const named = typeof config['tokenizer_class'] === 'string' ? config['tokenizer_class'] : ''
  return {
    bos,
    eos,
    addBos: flag('add_bos_token') ?? (before !== null || bosByDefault.test(named)),
    addEos: flag('add_eos_token') ?? after !== null,
    chatTemplate: await chatTemplateOf(dir, config),
    config: { ...config, bos_token: bos, eos_token: eos },
    originals,
  }
}
