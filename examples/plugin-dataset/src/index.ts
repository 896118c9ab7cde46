import { columns, defineCollection, firstOf, template } from '@ift/core/collection'

const fields = { question: 'question', passage: 'passage', answer: 'answer' }

/** Wordings of a question about a passage; the seed chooses one. */
const wordings = [
  '{question}',
  'Read the text and answer: {question}',
  '{question} Answer from the text below.',
]
const aboutPassage = template(
  wordings.map((instruction) => ({ instruction, input: '{passage}', output: '{answer}' })),
  fields,
)
const alone = columns({ instruction: 'question', output: 'answer' })

/** Questions from the kitchen, some of them about a passage. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  kitchen: { files: ['kitchen.csv'], read: firstOf(aboutPassage, alone) },
})
