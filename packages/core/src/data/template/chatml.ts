import { said, special, turnTemplate } from './turns.js'
import { messageText } from '../conversation.js'

const start = special('<|im_start|>')

/** ChatML: "<|im_start|>role\n…<|im_end|>\n" for every message. */
export const chatml = turnTemplate('chatml', {
  begin: (system) =>
    system === ''
      ? []
      : [
          start,
          said('template', 'system\n'),
          said('system', system),
          special('<|im_end|>'),
          said('template', '\n'),
        ],
  user: (message) => [
    start,
    said('template', `${message.role}\n`),
    said(message.role, messageText(message)),
    special('<|im_end|>'),
    said('template', '\n'),
  ],
  open: [start, said('template', 'assistant\n')],
  answer: (text) => [said('assistant', text, true), special('<|im_end|>', true, 'assistant')],
  close: [said('template', '\n')],
  stop: ['<|im_end|>'],
})
