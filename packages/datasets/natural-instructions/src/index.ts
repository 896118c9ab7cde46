import { columns, defineCollection, oneOf, textOf, through, type Field } from '@ift/core/collection'

/** Some outputs say by a dash that there is none. */
const dash = (output: string) => (output.trim() === '-' ? '' : output)

/** The definition with two of the examples that its authors give. */
const definitionWithExamples: Field = (record) => {
  const { Definition: task, 'Positive Examples': list } = record as Readonly<Record<string, unknown>>
  const shown = (Array.isArray(list) ? list.slice(0, 2) : []).map((one: unknown) => {
    const { input, output } = Object(one) as Readonly<Record<string, unknown>>
    return `\n\nInput: ${textOf(input) ?? ''}\nOutput: ${textOf(output) ?? ''}`
  })
  return `${textOf(task) ?? ''}${shown.join('')}`
}

const all = (instruction: Field = 'Definition') => ({
  files: ['tasks/task*.json'],
  omit: /_mmmlu_/,
  inside: 'Instances',
  read: columns(
    { instruction, input: 'input', output: through(oneOf('output', 'first'), dash) },
    { meta: ['Categories'] },
  ),
})
const training = { listed: 'splits/default/train_tasks.txt', perFile: 100 }

/** Tasks for training of the two tracks, and all tasks. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'natural-instructions': { ...all(), ...training },
  'natural-instructions-examples': { ...all(definitionWithExamples), ...training },
  'natural-instructions-xlingual': { ...all(), ...training, listed: 'splits/xlingual/train_tasks.txt' },
  'natural-instructions-all': { ...all(), converted: ['Natural-Instructions/*.json'] },
})
