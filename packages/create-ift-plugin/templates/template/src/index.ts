import { defineTemplate, messageText, said, special, turnTemplate } from '@ift/core'

/**
 * "<|system|>…<|user|>…<|assistant|>…</s>", a line for each mark and each text. What the model writes is what is learned: the answer and the
 * end token.
 */
export const template = turnTemplate('__name__', {
  begin: (system) =>
    system === '' ? [] : [said('template', '<|system|>\n'), said('system', system), said('template', '\n')],
  user: (message) => [
    said('template', '<|user|>\n'),
    said(message.role, messageText(message)),
    said('template', '\n'),
  ],
  open: [said('template', '<|assistant|>\n')],
  answer: (text) => [said('assistant', text, true), special('eos', true, 'assistant')],
  close: [said('template', '\n')],
})

export const plugin = defineTemplate(template)
