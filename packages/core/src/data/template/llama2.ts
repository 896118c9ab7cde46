import { said, special, turnTemplate } from './turns.js'
import { messageText } from '../conversation.js'

/** LLaMA 2 chat: every round is "<s>[INST] … [/INST] … </s>", the system text inside the first one. */
export const llama2 = turnTemplate('llama2', {
  begin: () => [],
  user: (message, round, system) => [
    special('bos'),
    said('template', '[INST] '),
    ...(round === 0 && system !== ''
      ? [said('template', '<<SYS>>\n'), said('system', system), said('template', '\n<</SYS>>\n\n')]
      : []),
    said('user', messageText(message).trim()),
    said('template', ' '),
  ],
  open: [said('template', '[/INST]')],
  answer: (text) => [said('assistant', ` ${text.trim()} `, true), special('eos', true, 'assistant')],
})
