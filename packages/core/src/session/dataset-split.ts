import { IftError } from '@ift/tensor'

/** The word of a training file in its path, with nothing but signs, digits and separators beside it. */
const trainingWord = /(^|[-._/ \d])train(?:ing)?(?=[-._/ \d]|$)/i

/**
 * The file of a split in place of the training file that a dataset asks for: main/test-00000-of-00001.parquet for
 * main/train-00000-of-00001.parquet. IFT_SOURCE_NOT_FOUND for a file without a split in its name.
 */
export function fileOfSplit(dataset: string, wanted: string, split: string): string {
  if (split === 'all' || split === 'train') return wanted
  if (trainingWord.test(wanted))
    return wanted.replace(trainingWord, (_, before: string) => `${before}${split}`)
  throw new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `The file ${wanted} of the dataset ${dataset} has no other split: expected a name with "train" in place of which "${split}" could stand.`,
    `Name the file of the split: { path: "…" }.`,
  )
}
