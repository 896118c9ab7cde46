import { said, special, turnTemplate } from './turns.js'
import { messageText } from '../conversation.js'

/** BELLE: "Human: \n…\n\nAssistant: \n…</s>" for every round, a system text in front. */
export const belle = turnTemplate('belle', {
  begin: (system) => (system === '' ? [] : [said('system', `${system}\n`)]),
  user: (message) => [
    said('template', 'Human: \n'),
    said('user', messageText(message)),
    said('template', '\n\n'),
  ],
  open: [said('template', 'Assistant: \n')],
  answer: (text) => [said('assistant', text, true), special('eos', true, 'assistant')],
})
