import { columns, defineCollection, textOf, type Field } from '@ift/core/collection'

/** Longer lists of choices are cut. */
const most = 8

/** The question with four to eight of the wrong choices beside the right one, where its list of choices is longer. */
const sampled: Field = (record, { random }) => {
  const { input, answer_choices: list, target } = record as Readonly<Record<string, unknown>>
  const right = textOf(target)
  if (typeof input !== 'string' || !Array.isArray(list) || list.length <= most || right === null) return input
  const choices = list.map(textOf).filter((text) => text !== null)
  const comma = ['，', ','].find((sign) => input.includes(choices.join(sign)))
  if (comma === undefined) return input
  const numbers = random('choices')
  const wrong = numbers
    .shuffle(choices.filter((text) => text !== right))
    .slice(0, 4 + numbers.below(most - 3))
  const shown = numbers.shuffle([...wrong, right]).join(comma)
  return input.replace(choices.join(comma), () => shown)
}

const part = (instruction: Field) => ({
  files: [['datasets/pCLUE_train_*.json', 'pCLUE/pCLUE_train_*.json', 'pCLUE_train.json']],
  converted: ['pCLUE/pCLUE.json'],
  read: columns({ instruction, output: ['target', 'output'] }, { meta: ['type'] }),
})

/** pCLUE, with all choices and with some of them. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  pclue: part('input'),
  'pclue-sampled': part(sampled),
})
