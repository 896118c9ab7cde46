import { columns, defineCollection } from '@ift/core/collection'

/** Some pairs of every prompt, without the splits that others evaluate on, which are part of the files' names. */
const language = (folder: string, converted: string) => ({
  files: [`${folder}/xp3_*.jsonl`],
  converted: [`xP3/${converted}`],
  omit: /[_.-](validation|dev|devtest|test)([_.-]|$)/,
  perFile: 2000,
  read: columns({ instruction: 'inputs', output: 'targets' }),
})

/** xP3, whole and by language. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  xp3: language('*', '*.json'),
  'xp3-en': language('en', 'xP3_en*.json'),
  'xp3-zh': language('zh', 'xP3_zh*.json'),
  'xp3-code': language('code', 'xP3_code*.json'),
})
