import { columns, defineCollection, type Part } from '@ift/core/collection'

const read = columns({ instruction: 'instruction', input: 'input', output: ['response', 'output'] })

/** A file without exact duplicates, or those without near ones, the largest first. */
const cleaned = (start: string): readonly string[] =>
  ['dedupe-only', ...[0.9, 0.8, 0.7, 0.6].map((most) => `similarity-${most}`)].map(
    (how) => `${start}-${how}-dataset.json`,
  )
const file = (...names: readonly string[]): Part => ({ files: [names], read })

/** GPTeacher's sets. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  gpteacher: { ...file(...cleaned('Instruct/gpt4-instruct')), converted: ['GPTeacher/*.json'] },
  'gpteacher-roleplay': file('Roleplay/roleplay-simple-deduped-roleplay-instruct.json'),
  'gpteacher-roleplay-v2': file('Roleplay Supplemental/roleplay-instruct-v2.1.json'),
  'gpteacher-toolformer': file(...cleaned('Toolformer/toolformer')),
  'gpteacher-codegen': file('Codegen/codegen-instruct.json'),
})
