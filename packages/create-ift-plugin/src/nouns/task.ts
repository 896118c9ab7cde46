import type { PluginNoun } from './plugin-noun.js'

export const task: PluginNoun = {
  noun: 'task',
  word: 'task',
  what: 'a task of `npx ift eval`',
  facts: () => ({ description: 'Questions with one right word.' }),
}
