import { IftError } from '@ift/tensor'

/** The word of a training file in its path, with nothing but signs, digits and separators beside it. */
const trainingWord = /(^|[-._/ \d])train(?:ing)?(?=[-._/ \d]|$)/i

const fileHint = 'Name the file of the split: { path: "…" }.'

/**
 * The file of a split in place of the training file that a dataset asks for: main/test-00000-of-00001.parquet for
 * main/train-00000-of-00001.parquet. IFT_DATA_SPLIT for a file without a split in its name.
 */
export function fileOfSplit(dataset: string, wanted: string, split: string): string {
  if (split === 'train') return wanted
  if (trainingWord.test(wanted))
    return wanted.replace(trainingWord, (_, before: string) => `${before}${split}`)
  throw new IftError(
    'IFT_DATA_SPLIT',
    `The file ${wanted} of the dataset ${dataset} has no other split: expected a name with "train" in place of which "${split}" could stand.`,
    fileHint,
  )
}

/** The error of a dataset of which a split is wanted and that asks for no file. */
export const withoutSplits = (dataset: string, split: string): IftError =>
  new IftError(
    'IFT_DATA_SPLIT',
    `The dataset ${dataset} has no other split: expected a file that it is read from, in place of which that of "${split}" could stand, found none.`,
    fileHint,
  )
