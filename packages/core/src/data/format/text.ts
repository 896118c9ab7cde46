import type { TextExample } from '../../contract/data.js'
import { textField, wrongField, type RecordFormat } from './format.js'

/** {text}: a document; every token is trained. */
export const text: RecordFormat = {
  name: 'text',
  fields: ['text'],
  matches: (record) => typeof record['text'] === 'string',
  convert(raw): TextExample {
    const content = textField(raw, 'text')
    if (content === '') throw wrongField(raw.where, 'text', 'a text that is not empty', content)
    return { text: content }
  },
}
