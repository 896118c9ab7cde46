import { columns, defineCollection, oneOf } from '@ift/core/collection'
import { detection } from './detection.js'

const meta = ['source']
const read = (answers: string) => columns({ instruction: 'question', output: oneOf(answers) }, { meta })

const english = { files: [['HC3/all.jsonl', '{finance,medicine,open_qa,reddit_eli5,wiki_csai}.jsonl']] }
const domains = '{baike,finance,law,medicine,nlpcc_dbqa,open_qa,psychology}'
const chinese = { files: [['HC3-Chinese/all.jsonl', `${domains}.jsonl`]] }
const converted = (name: string) => [`HC3/HC3_${name}.json`]

/** Answers of ChatGPT, those of people, and the question whose an answer is, in English and Chinese. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  hc3: { ...english, converted: converted('ChatGPT'), read: read('chatgpt_answers') },
  'hc3-human': { ...english, converted: converted('Human'), read: read('human_answers') },
  'hc3-detect': {
    ...english,
    read: detection({
      asked: 'Did a person or ChatGPT write this answer?',
      person: 'A person.',
      question: 'Question: ',
      answer: 'Answer: ',
    }),
  },
  'hc3-zh': { ...chinese, converted: converted('Chinese_ChatGPT'), read: read('chatgpt_answers') },
  'hc3-zh-human': { ...chinese, converted: converted('Chinese_Human'), read: read('human_answers') },
  'hc3-zh-detect': {
    ...chinese,
    read: detection({
      asked: '这个回答是人写的还是ChatGPT写的？',
      person: '人',
      question: '问题：',
      answer: '回答：',
    }),
  },
})
