import type { Segment } from '../../contract/data.js'
import { messageText } from '../conversation.js'
import { said, special, turnTemplate } from './turns.js'

const header = (role: string): Segment[] => [
  special('<|start_header_id|>'),
  said('template', role),
  special('<|end_header_id|>'),
  said('template', '\n\n'),
]

/** LLaMA 3: "<|start_header_id|>role<|end_header_id|>\n\n…<|eot_id|>" for every message, trimmed. */
export const llama3 = turnTemplate('llama3', {
  begin: (system) => [
    special('bos'),
    ...(system === '' ? [] : [...header('system'), said('system', system.trim()), special('<|eot_id|>')]),
  ],
  user: (message) => [
    ...header(message.role === 'tool' ? 'ipython' : 'user'),
    said(message.role, messageText(message).trim()),
    special('<|eot_id|>'),
  ],
  open: header('assistant'),
  answer: (text) => [said('assistant', text.trim(), true), special('<|eot_id|>', true, 'assistant')],
  stop: ['<|eot_id|>'],
})
