import { IftError } from '@ift/tensor'

/** Words in names of files and folders that tell their split, as Hugging Face's datasets reads them. */
const words = new Map([
  ['train', ['train', 'training']],
  ['validation', ['validation', 'valid', 'val', 'dev']],
  ['test', ['test', 'testing', 'eval', 'evaluation']],
])

/** A word in a path, with nothing but signs, digits and path separators beside it: data/test-00000-of-00001.parquet. */
const holds = (path: string, word: string) =>
  new RegExp(`(^|[-._/ \\d])${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}([-._/ \\d]|$)`, 'i').test(path)

const isOf = (path: string, split: string) => (words.get(split) ?? [split]).some((word) => holds(path, word))

/**
 * Which files of a folder are read. 'all': every one. 'training': those that are not said to be held out. 'validation': those for
 * validation, or for a test, or those that are not for training. A name: those that have it in their path.
 */
export type Split = 'all' | 'training' | 'validation' | { readonly named: string }

/** Names of the files of a split, told by their paths inside of the place. Throws IFT_DATA_SPLIT when there are none. */
export function filesOf(
  place: string,
  files: readonly { readonly name: string; readonly inside: string }[],
  split: Split,
): readonly string[] {
  if (split === 'all') return files.map(({ name }) => name)
  const of = (...splits: string[]) => files.filter(({ inside }) => splits.some((name) => isOf(inside, name)))
  const not = (...splits: string[]) =>
    files.filter(({ inside }) => !splits.some((name) => isOf(inside, name)))
  const choices =
    split === 'training'
      ? [not('validation', 'test')]
      : split === 'validation'
        ? [of('validation'), of('test'), not('train')]
        : [of(split.named)]
  const chosen = choices.find((list) => list.length > 0)
  if (chosen) return chosen.map(({ name }) => name)
  const wanted = typeof split === 'string' ? `for ${split}` : `of the split "${split.named}"`
  const names = files.map(({ inside }) => inside)
  throw new IftError(
    'IFT_DATA_SPLIT',
    `${place}: no file is ${wanted}; there are ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}.`,
    'Say which are meant, data: { path: …, split: "test" }, or name a file.',
  )
}
