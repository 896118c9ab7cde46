import { said, special, turnTemplate } from './turns.js'
import { messageText } from '../conversation.js'

const system =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions."

/** Vicuna v1.1 (FastChat): "{system} USER: … ASSISTANT: …</s>USER: …". */
export const vicuna = turnTemplate('vicuna', {
  begin: (own) => [said('system', `${own === '' ? system : own} `)],
  user: (message) => [said('template', 'USER: '), said('user', messageText(message)), said('template', ' ')],
  open: [said('template', 'ASSISTANT:')],
  answer: (text) => [said('assistant', ` ${text}`, true), special('eos', true, 'assistant')],
})
