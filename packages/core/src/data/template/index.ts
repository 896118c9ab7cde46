import type { PromptTemplate } from '../../contract/template.js'
import { alpaca } from './alpaca.js'
import { belle } from './belle.js'
import { chatml } from './chatml.js'
import { llama2 } from './llama2.js'
import { llama3 } from './llama3.js'
import { completion, plain } from './plain.js'
import { vicuna } from './vicuna.js'

export { sourcesOf, type TemplateProgram } from './sources/index.js'
export { createChatTemplate } from './chat.js'
export { alpaca, belle, chatml, completion, llama2, llama3, plain, vicuna }

/** Built-in templates. `chat` is made of a tokenizer by `createChatTemplate`. */
export const builtinTemplates: readonly PromptTemplate[] = [
  alpaca,
  belle,
  chatml,
  completion,
  llama2,
  llama3,
  plain,
  vicuna,
]
