import type { PluginNoun } from './plugin-noun.js'

export const constraint: PluginNoun = {
  noun: 'constraint',
  word: 'constraint',
  what: 'a kind of constraint on answers: `constraint` of a request',
}
