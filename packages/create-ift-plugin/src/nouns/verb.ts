import type { PluginNoun } from './plugin-noun.js'

export const verb: PluginNoun = {
  noun: 'verb',
  word: 'verb',
  what: 'a verb of the command line: `npx ift NAME`',
  facts: () => ({ description: 'Count the records of data files and the fields that they have.' }),
}
