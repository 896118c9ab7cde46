import { before, columns, defineCollection, through, type Part } from '@ift/core/collection'

const text = (name: string) => [`${name}.value`, `${name}.description`, name]
const long = (question: string) => (question.trim().length > 1 ? question : '')

/** Answers end at the mark of an end, behind which some go on with another round. */
const part: Part = {
  files: [['data/train-*.parquet', '*.jsonl']],
  read: columns(
    { instruction: through(text('prompt'), long), output: through(text('response'), before('</s>')) },
    { meta: ['source'] },
  ),
}

/** GPT4All's prompts and answers, of the first release and of that for GPT4All-J. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  gpt4all: { ...part, converted: ['GPT4all/gpt4all_without_p3.json', 'GPT4all/gpt4all.json'] },
  'gpt4all-j': part,
})
