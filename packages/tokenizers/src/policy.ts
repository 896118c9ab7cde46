import type { ComponentJson } from './tokenizer-json.js'

export interface Policy {
  readonly addBos: boolean
  readonly addEos: boolean
  /** Text of the tokens that the post-processor puts first and last. */
  readonly first: string | null
  readonly last: string | null
  /** Texts of what it puts before and behind, where it is more than one token. */
  readonly frame?: { readonly before: readonly string[]; readonly after: readonly string[] }
}

const nothing: Policy = { addBos: false, addEos: false, first: null, last: null }

/** Tokens that the post-processor of a tokenizer.json adds around a single text; null when it does not define them. */
export function policyOfPostProcessor(processor: ComponentJson | null): Policy | null {
  switch (processor?.type) {
    case 'TemplateProcessing': {
      const single = processor['single']
      if (!Array.isArray(single)) return null
      const tokens = single.map(
        (item) => (item as { SpecialToken?: { id?: string } }).SpecialToken?.id ?? null,
      )
      const text = tokens.indexOf(null)
      const first = text > 0 ? (tokens[0] ?? null) : null
      const last = text >= 0 && text < tokens.length - 1 ? (tokens.at(-1) ?? null) : null
      const isText = (token: string | null) => token !== null
      const [before, after] = [tokens.slice(0, text).filter(isText), tokens.slice(text + 1).filter(isText)]
      if (text >= 0 && (before.length > 1 || after.length > 1))
        return { ...nothing, frame: { before, after } }
      return { addBos: first !== null, addEos: last !== null, first, last }
    }
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const [first] = processor['cls'] as [string, number]
      const [last] = processor['sep'] as [string, number]
      return { addBos: true, addEos: true, first, last }
    }
    case 'Sequence': {
      const processors = processor['processors']
      if (!Array.isArray(processors)) return null
      for (const part of processors as ComponentJson[]) {
        const policy = policyOfPostProcessor(part)
        if (policy && (policy.addBos || policy.addEos || policy.frame)) return policy
      }
      return nothing
    }
    default:
      return processor ? nothing : null
  }
}

interface Family {
  readonly addBos: boolean
  readonly addEos: boolean
  /** Pieces that only the family's chat format writes: text never becomes one of them. */
  readonly reserved?: RegExp
}

/** Tokens that transformers' tokenizer classes add by default. */
const families: Readonly<Record<string, Family>> = {
  LlamaTokenizer: { addBos: true, addEos: false },
  // The name in conversions of early 2023.
  LLaMATokenizer: { addBos: true, addEos: false },
  CodeLlamaTokenizer: { addBos: true, addEos: false },
  GemmaTokenizer: { addBos: true, addEos: false },
  BaichuanTokenizer: { addBos: false, addEos: false, reserved: /^<reserved_\d+>$/ },
  InternLMTokenizer: { addBos: true, addEos: false, reserved: /^<(eoh|eoa)>$/ },
  InternLM2Tokenizer: { addBos: true, addEos: false },
  YiTokenizer: { addBos: false, addEos: false },
  T5Tokenizer: { addBos: false, addEos: true },
  XGLMTokenizer: { addBos: true, addEos: false },
  GPT2Tokenizer: { addBos: false, addEos: false },
  Qwen2Tokenizer: { addBos: false, addEos: false },
  CodeGenTokenizer: { addBos: false, addEos: false },
  MossTokenizer: { addBos: false, addEos: false },
  BloomTokenizer: { addBos: false, addEos: false },
}

/** Families whose class in transformers, or whose own code, puts padding to the left. */
const padLeft = /^(Llama|LLaMA|CodeLlama|Gemma|Cohere|ChatGLM|ChatGLM4)Tokenizer(Fast)?$/

export const paddingSideOfFamily = (tokenizerClass: string | null): 'left' | 'right' =>
  padLeft.test(tokenizerClass ?? '') ? 'left' : 'right'

const familyOf = (name: string): Family | null => (Object.hasOwn(families, name) ? families[name]! : null)

export const policyOfFamily = (tokenizerClass: string | null) =>
  tokenizerClass === null ? null : familyOf(tokenizerClass.replace(/Fast$/, ''))

interface Special {
  readonly id: number
  readonly text: string
}

/** The post-processor that makes transformers and others put tokens before and behind a text. */
export function templateProcessing(
  before: readonly Special[],
  after: readonly Special[],
): ComponentJson | null {
  if (before.length + after.length === 0) return null
  const special = (tokens: readonly Special[], type_id: number) =>
    tokens.map(({ text }) => ({ SpecialToken: { id: text, type_id } }))
  const text = (id: 'A' | 'B', type_id: number) => ({ Sequence: { id, type_id } })
  return {
    type: 'TemplateProcessing',
    single: [...special(before, 0), text('A', 0), ...special(after, 0)],
    pair: [
      ...special(before, 0),
      text('A', 0),
      ...special(after, 0),
      ...special(before, 1),
      text('B', 1),
      ...special(after, 1),
    ],
    special_tokens: Object.fromEntries(
      [...before, ...after].map((token) => [
        token.text,
        { id: token.text, ids: [token.id], tokens: [token.text] },
      ]),
    ),
  }
}
