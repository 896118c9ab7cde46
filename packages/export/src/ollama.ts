import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  builtinTemplates,
  writeFileAtomic,
  type ExportDefinition,
  type ExportedModel,
  type MessagesExample,
  type PromptTemplate,
  type Segment,
} from '@ift/core'
import { fileType } from './gguf/file-types.js'
import { writeAdapterFile } from './gguf/adapter.js'
import { writeModel } from './gguf/model.js'

/** Conversations that tell templates apart. */
const conversations: readonly MessagesExample[] = [
  { messages: [{ role: 'user', content: 'a' }] },
  {
    messages: [
      { role: 'system', content: 'b' },
      { role: 'user', content: 'c' },
    ],
  },
  {
    messages: [
      { role: 'user', content: 'd' },
      { role: 'assistant', content: 'e' },
      { role: 'user', content: 'f' },
    ],
  },
]

const boundaries = ({ tokenizer }: Pick<ExportedModel, 'tokenizer'>) => {
  const of = (id: number | null) => (id === null ? null : (tokenizer.token(id) ?? null))
  return { bos: of(tokenizer.bosId), eos: of(tokenizer.eosId) }
}

/** The text of prompts, which is the same for templates that write the same; null where one is refused. */
function written(template: PromptTemplate, open: Pick<ExportedModel, 'tokenizer'>): string | null {
  const tokens = boundaries(open)
  const textOf = ({ text, special }: Segment) =>
    special === true && (text === 'bos' || text === 'eos') ? (tokens[text] ?? '') : text
  try {
    const texts = conversations.map((one) => template.prompt(one).map(textOf).join(''))
    // What puts bos in front does it for all.
    return texts
      .map((text) =>
        tokens.bos !== null && text.startsWith(tokens.bos) ? text.slice(tokens.bos.length) : text,
      )
      .join('\0')
  } catch {
    return null
  }
}

/** The template in Go: its own, or that of one of ours that writes the same. */
export function goTemplate(open: Pick<ExportedModel, 'tokenizer' | 'template'>): string | null {
  const { template, tokenizer } = open
  const begins = !(tokenizer.addBos && tokenizer.bosId !== null)
  const tokens = boundaries(open)
  const own = template.sources?.go(tokens, begins)
  if (own != null) return own
  const text = written(template, open)
  const same = builtinTemplates.find((one) => text !== null && written(one, open) === text)
  return same?.sources?.go(tokens, begins) ?? null
}

/** Names of Ollama for fields of generation_config.json. */
const parameters = {
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  repetition_penalty: 'repeat_penalty',
} as const

/** A text in a Modelfile. */
const quoted = (text: string) => `"""${text}"""`

function modelfile(
  open: ExportedModel,
  from: readonly string[],
  license: string | null,
): { readonly text: string; readonly hasTemplate: boolean } {
  const template = goTemplate(open)
  const { tokenizer, generationConfig = {} } = open
  const stops = new Set([...open.template.stop, ...[...open.ends].flatMap((id) => tokenizer.token(id) ?? [])])
  const lines = [
    ...from,
    ...(template === null ? [] : [`TEMPLATE ${quoted(template)}`]),
    ...[...stops].map((text) => `PARAMETER stop ${JSON.stringify(text)}`),
    ...Object.entries(parameters).flatMap(([field, name]) => {
      const value = generationConfig[field]
      return typeof value === 'number' && generationConfig['do_sample'] !== false
        ? [`PARAMETER ${name} ${value}`]
        : []
    }),
    ...(open.shape.maxPositions === null
      ? []
      : [`PARAMETER num_ctx ${Math.min(open.shape.maxPositions, 8192)}`]),
    ...(license === null || license.includes('"""') ? [] : [`LICENSE ${quoted(license)}`]),
  ]
  return { text: `${lines.join('\n')}\n`, hasTemplate: template !== null }
}

async function licenseOf({ dir }: ExportedModel): Promise<string | null> {
  const path = ['LICENSE', 'LICENSE.txt', 'LICENSE.md']
    .map((name) => join(dir, name))
    .find((one) => existsSync(one))
  return path === undefined ? null : readFile(path, 'utf8')
}

/** A folder that `ollama create` reads. */
export const ollama: ExportDefinition = {
  name: 'ollama',
  description: 'A folder with a Modelfile, for Ollama.',
  async run(context) {
    const { out, options } = context
    const file = join(out, options.base === undefined ? 'model.gguf' : 'adapter.gguf')
    const type = fileType(options.type ?? 'q8_0')
    const adapted = options.base === undefined ? null : await context.adapted()
    const open = adapted ?? (await context.merged())
    await context.claim(file)
    await context.claim(join(out, 'Modelfile'))
    if (adapted) await writeAdapterFile(file, adapted)
    else await writeModel(file, open, type, context)
    const from = adapted ? [`FROM ${options.base!}`, 'ADAPTER ./adapter.gguf'] : ['FROM ./model.gguf']
    const { text, hasTemplate } = modelfile(open, from, await licenseOf(open))
    if (!hasTemplate)
      context.note(
        "no TEMPLATE: the checkpoint's own template is Jinja of a kind that none of ours writes, and Ollama takes it only where it knows it",
      )
    await writeFileAtomic(join(out, 'Modelfile'), text)
    return {
      written: [join(out, 'Modelfile'), file],
      ...(adapted ? {} : { readBack: { weights: file }, tolerance: null }),
      next: `ollama create NAME -f ${join(out, 'Modelfile')}`,
    }
  },
}
