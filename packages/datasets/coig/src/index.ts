import { columns, defineCollection, messages, type Field } from '@ift/core/collection'
import { joined, rounds } from './fields.js'

const exam = (output: Field) => {
  const input = joined(['textbox_q_context', 'textbox_question'])
  return columns({ instruction: 'textbox_q_instruction', input, output }, { meta: ['subject'] })
}
const reasoned = exam(joined(['textbox_answer_analysis', 'textbox_answer'], '答案：'))
const translated = (prefix: string) =>
  columns(
    { instruction: `${prefix}instruction`, input: `${prefix}input`, output: `${prefix}output` },
    { meta: ['task_name'] },
  )
/** NaN stands where a text is due. */
const tolerant = true
const values = 'human_value_alignment_instructions'
const chat = 'counterfactural_correction_multi_round_chat'
const part = (file: string, converted: string) => ({ files: [file], converted: [`COIG/${converted}.json`] })

/** The six files of COIG; of translations and exams in two ways. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'coig-translated': { ...part('translated_instructions.jsonl', 'translate_zh'), read: translated('trans_') },
  'coig-translated-en': { ...part('translated_instructions.jsonl', 'translate_en'), read: translated('') },
  'coig-exam': { ...part('exam_instructions.jsonl', 'exam'), tolerant, read: reasoned },
  'coig-exam-answers': { files: ['exam_instructions.jsonl'], tolerant, read: exam('textbox_answer') },
  'coig-values': {
    files: [`${values}_part1.json`, { names: `${values}_part2.json`, read: reasoned }],
    some: true,
    tolerant,
    converted: ['COIG/human-value-alignment_{common,special}.json'],
  },
  'coig-leetcode': part('leetcode_instructions.jsonl', 'leetcode'),
  'coig-chat': {
    files: [[`${chat}.tar.gz`, `${chat}/**/*.json`]],
    converted: [`COIG/${chat}.json`],
    read: messages(rounds),
  },
})
