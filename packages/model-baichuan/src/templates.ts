import { messageText, said, special, turnTemplate, type PromptTemplate } from '@ift/core'

/** Tokens of user and assistant by the name of the template. */
export const roleTokens = {
  baichuan: ['<reserved_102>', '<reserved_103>'],
  baichuan2: ['<reserved_106>', '<reserved_107>'],
} as const

/** Baichuan-Chat: a system message, then "<user token>…<assistant token>…</s>" for every round. */
const chat = (name: keyof typeof roleTokens): PromptTemplate => {
  const [user, assistant] = roleTokens[name]
  return turnTemplate(name, {
    begin: (system) => (system === '' ? [] : [said('system', system)]),
    user: (message) => [special(user), said(message.role, messageText(message))],
    open: [special(assistant)],
    answer: (text) => [said('assistant', text, true), special('eos', true, 'assistant')],
    stop: [user],
  })
}

export const baichuanChat = chat('baichuan')
export const baichuan2Chat = chat('baichuan2')
