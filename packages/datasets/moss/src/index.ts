import { defineCollection, firstOf, messages, steps, transcript } from '@ift/core/collection'
import { said, used } from './turn.js'

const meta = ['category']
const chat = steps('turn_', {
  inside: 'chat',
  system: 'meta_instruction',
  says: [
    ['user', said('Human')],
    ['assistant', used('Inner Thoughts', 'Commands')],
    ['tool', used('Tool Responses')],
    ['assistant', said('MOSS')],
  ],
  meta,
})
const marks = { user: '[Human]:', assistant: '[MOSS]:', end: ['<eoh>', '<eoa>'], anchored: false } as const
const archives = ['no-tools.jsonl', 'with-tools-no-text2image', 'with-tools-text2image']

/** Conversations in archives or one by one, and those of the earlier model as one text with marks. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'moss-003': {
    files: [
      ...archives.map((name) => `moss-003-sft-${name}.zip`),
      'moss-003-sft-*.jsonl',
      '**/*_conversation_*.json',
    ],
    some: true,
    converted: ['MOSS/*003*.json'],
    read: firstOf(messages('conversation', undefined, { meta }), chat),
  },
  'moss-002': {
    files: ['{en,zh}_{helpfulness,honesty,harmlessness}.json'],
    converted: ['MOSS/*002*.json'],
    read: transcript('plain_text', { ...marks, head: 'system' }),
  },
})
