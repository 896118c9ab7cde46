import { messageText, said, special, turnTemplate } from '@ift/core'

/** InternLM-Chat: "<|User|>:…<eoh>\n<|Bot|>:…<eoa>\n<|User|>:…"; a system message stands in front as "<|System|>:…\n". */
export const internlmChat = turnTemplate('internlm', {
  begin: (system) =>
    system === '' ? [] : [said('template', '<|System|>:'), said('system', system), said('template', '\n')],
  user: (message) => [
    said('template', '<|User|>:'),
    said(message.role, messageText(message)),
    special('<eoh>'),
    said('template', '\n'),
  ],
  open: [said('template', '<|Bot|>:')],
  answer: (text) => [said('assistant', text, true), special('<eoa>', true, 'assistant')],
  close: [said('template', '\n')],
  stop: ['<eoa>'],
})
