import { exam, examHeader } from './exam.js'

/** MMLU (Hendrycks et al., 2021): `test/*.csv` with `dev/*.csv`, a file for each subject. */
export const mmlu = exam({
  name: 'mmlu',
  version: '1',
  description: '57 subjects in English, by the likeliest of four letters.',
  source: 'https://github.com/hendrycks/test',
  licence: 'MIT',
  files: {
    items: ['test/*.csv', 'data/test/*.csv', '*_test.csv', '**/test-*.parquet'],
    shots: ['dev/*.csv', 'data/dev/*.csv', '*_dev.csv', '**/dev-*.parquet'],
    header: examHeader,
  },
  cue: 'Answer:',
  preamble: (subject) =>
    `The following are multiple choice questions (with answers) about ${subject.replaceAll('_', ' ')}.\n\n`,
  splits: /_(test|dev|val)$/,
})
