import {
  columns,
  defineCollection,
  drop,
  isBlank,
  textOf,
  valueOf,
  type Field,
  type Read,
} from '@ift/core/collection'

/** The title in front of the question, unless this begins with it or is none. */
const question: Field = (record, context) => {
  const [title, ask] = ['title', 'ask'].map((name) => (textOf(valueOf(name, record, context)) ?? '').trim())
  if (isBlank(ask!) || ask === '无') return title
  return ask!.startsWith(title!) ? ask : `${title}\n${ask}`
}

const pairs = columns({ instruction: question, output: 'answer' }, { meta: ['department'] })

/** Bytes that are no text became U+FFFD, and nobody knows what they said. */
const read: Read = (record, context) =>
  ['title', 'ask', 'answer'].some((name) => textOf(valueOf(name, record, context))?.includes('\ufffd'))
    ? drop('bytes that are no GB18030')
    : pairs(record, context)

/** Questions to doctors of six departments. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'chinese-medical': {
    files: [['Data_数据/*/*.csv', '*/*.csv']],
    converted: ['Chinese-medical/*.json'],
    encoding: 'gb18030',
    undecodable: 'replace',
    read,
  },
})
