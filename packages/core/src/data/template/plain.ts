import { messageText } from '../conversation.js'
import type { PromptTemplate } from '../../contract/template.js'
import { isInstruction, type InstructionExample, type MessagesExample } from '../../contract/data.js'
import { said, special, turnTemplate } from './turns.js'

/** Instruction and input on lines of their own. */
const onLines = (example: InstructionExample | MessagesExample) =>
  isInstruction(example) && example.input !== ''
    ? { ...example, instruction: `${example.instruction}\n${example.input}`, input: '' }
    : example

function joined(name: string, separator: string): PromptTemplate {
  const turns = turnTemplate(name, {
    begin: (system) => (system === '' ? [] : [said('system', `${system}\n`)]),
    user: (message) => [said('user', messageText(message))],
    open: [said('template', separator)],
    answer: (text) => [said('assistant', text, true), special('eos', true, 'assistant')],
    close: [said('template', '\n')],
  })
  return {
    ...turns,
    render: (example, trainOn) => turns.render(onLines(example), trainOn),
    prompt: (example) => turns.prompt(onLines(example)),
  }
}

/** No header at all: instruction, input and answer on lines of their own. */
export const plain = joined('plain', '\n')

/** The output directly behind the instruction, for prompt and completion pairs that bring their own spaces. */
export const completion = joined('completion', '')
