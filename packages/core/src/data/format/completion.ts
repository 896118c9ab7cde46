import type { InstructionExample } from '../../contract/data.js'
import { textField, type RecordFormat } from './format.js'

/**
 * {prompt, completion}. The prompt becomes the instruction, so the template decides what stands around it (`completion`
 * for nothing at all). An end mark that GPT-3's tools wrote behind the completion goes: templates add the end token.
 */
export const completion: RecordFormat = {
  name: 'completion',
  fields: ['prompt', 'completion'],
  matches: (record) => typeof record['prompt'] === 'string' && typeof record['completion'] === 'string',
  convert: (raw): InstructionExample => ({
    instruction: textField(raw, 'prompt'),
    input: '',
    output: textField(raw, 'completion').replace(/(<\|endoftext\|>|<\/s>)\s*$/, ''),
  }),
}
