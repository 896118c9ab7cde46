import { cevalSubjects } from './ceval-subjects.js'
import { exam } from './exam.js'

/** C-Eval (Huang et al., 2023): `val/*_val.csv`, whose answers are published, with `dev/*_dev.csv`. */
export const ceval = exam({
  name: 'ceval',
  version: '2',
  description: '52 subjects in Chinese, by the likeliest of four letters.',
  source: 'https://github.com/hkust-nlp/ceval',
  licence: 'CC BY-NC-SA 4.0',
  files: {
    items: ['val/*.csv', '*_val.csv', '**/val-*.parquet'],
    shots: ['dev/*.csv', '*_dev.csv', '**/dev-*.parquet'],
  },
  cue: '答案：',
  preamble: (subject) =>
    `以下是中国关于${cevalSubjects[subject] ?? subject}的单项选择题，请选出其中的正确答案。\n\n`,
  splits: /_(val|dev|test)$/,
})
