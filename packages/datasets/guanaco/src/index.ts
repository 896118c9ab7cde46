import { columns, defineCollection, firstOf, transcript } from '@ift/core/collection'
import { dialog } from './dialog.js'

const record = columns({ instruction: 'instruction', input: 'input', output: 'output' })

const chat = transcript(dialog, {
  user: ['User:', 'User：'],
  assistant: ['Assistant:', 'Assistant：'],
  anchored: false,
  head: 'system',
  answer: 'output',
})

/** Instructions, and dialogs whose history stands on one line. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  guanaco: {
    files: [['guanaco_non_chat-utf8.json', 'guanaco_non_chat_mini_52K-utf8.json']],
    converted: ['Guanaco/GuanacoDataset.json'],
    read: record,
  },
  'guanaco-chat': {
    files: ['guanaco_chat_all-utf8.json'],
    converted: ['Guanaco/Guanaco_additional_Dataset.json'],
    read: firstOf(chat, record),
  },
})
