import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { caseFolder, root, type CaseFolder, type Ended } from './ift.fixture.js'

/** What `ift inspect` shows of every sample, with « and » around what is learned. */
export interface ChatCase extends CaseFolder {
  /** Of a data file in the folder. */
  texts(data: string, ...args: string[]): string[]
  /** Of records, with this chat template. */
  of(template: string, records: readonly object[], ...args: string[]): string[]
  /** Runs `ift inspect` for records with this chat template and expects that it fails. */
  refused(template: string, records: readonly object[], ...args: string[]): Ended
  /** Puts the template into the model, and the records into a file whose name is returned. */
  write(template: string, records: readonly object[]): string
  /** Changes tokenizer_config.json of the model. */
  configure(fields: Readonly<Record<string, unknown>>): void
}

/** The end of a template in ChatML's form: it asks for an answer. */
export const ask = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"

interface Token {
  readonly token: string
  readonly text: string
  readonly special: boolean
  readonly trained: boolean
}

function shown(tokens: readonly Token[]): string {
  let text = ''
  let inside = false
  for (const { token, text: own, special, trained } of tokens) {
    if (trained !== inside) text += trained ? '«' : '»'
    inside = trained
    text += special ? token : own
  }
  return inside ? `${text}»` : text
}

/** A folder with a small model in `model/`, whose chat template is that of the case when it has one. */
export function chatCase(name: string): ChatCase {
  const folder = caseFolder(name)
  cpSync(join(root, 'fixtures/cases/chat-model'), folder.path('model'), { recursive: true })
  const own = folder.path('chat_template.jinja')
  if (existsSync(own)) cpSync(own, folder.path('model/chat_template.jinja'))
  const read = (file: string) => JSON.parse(folder.read(file)) as Record<string, unknown>
  const inspect = (data: string, args: readonly string[]) => [
    ...['inspect', '--weights', 'model', '--initialize', '--data', data, '--count', '9', '--json'],
    ...args,
  ]
  let count = 0
  const write = (template: string, records: readonly object[]) => {
    mkdirSync(folder.path('model'), { recursive: true })
    writeFileSync(folder.path('model/chat_template.jinja'), template)
    const data = `records-${++count}.jsonl`
    writeFileSync(folder.path(data), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    return data
  }
  const texts: ChatCase['texts'] = (data, ...args) =>
    folder
      .output(...inspect(data, args))
      .split('\n')
      .filter(Boolean)
      .map((line) => shown(JSON.parse(line) as Token[]))
  return {
    ...folder,
    texts,
    write,
    of: (template, records, ...args) => texts(write(template, records), ...args),
    refused(template, records, ...args) {
      const ended = folder.ift(inspect(write(template, records), args))
      if (ended.code === 0) throw new Error(`It did not fail: ${ended.stdout}`)
      return ended
    },
    configure(fields) {
      const path = 'model/tokenizer_config.json'
      writeFileSync(folder.path(path), JSON.stringify({ ...read(path), ...fields }))
    },
  }
}
