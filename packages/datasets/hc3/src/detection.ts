import { columns, drop, isBlank, oneOf, textOf, valueOf, type Read } from '@ift/core/collection'

interface Words {
  readonly asked: string
  readonly person: string
  /** What stands in front of the question and the answer. */
  readonly question: string
  readonly answer: string
}

/** Whether a person or ChatGPT wrote an answer, which the seed chooses; of a record with answers of one alone, one of these. */
export const detection =
  (words: Words): Read =>
  (record, context) => {
    const question = textOf(valueOf('question', record, context)) ?? ''
    if (isBlank(question)) return drop('no question')
    const authors = context.random('author').shuffle(['human_answers', 'chatgpt_answers'])
    for (const author of authors) {
      const text = textOf(valueOf(oneOf(author), record, context)) ?? ''
      if (isBlank(text)) continue
      const output = author === 'human_answers' ? words.person : 'ChatGPT'
      const input = `${words.question}${question}\n\n${words.answer}${text}`
      return columns(
        { instruction: () => words.asked, input: () => input, output: () => output },
        {
          meta: ['source'],
        },
      )(record, context)
    }
    return drop('no answer')
  }
