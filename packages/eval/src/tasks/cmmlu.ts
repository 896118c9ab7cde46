import { cmmluSubjects } from './cmmlu-subjects.js'
import { exam } from './exam.js'

/** CMMLU (Li et al., 2023): `test/*.csv` with `dev/*.csv`, a file for each subject. */
export const cmmlu = exam({
  name: 'cmmlu',
  version: '1',
  description: '67 subjects in Chinese, by the likeliest of four letters.',
  source: 'https://github.com/haonan-li/CMMLU',
  licence: 'CC BY-NC 4.0',
  files: {
    items: ['test/*.csv', '*_test.csv', '**/test-*.parquet'],
    shots: ['dev/*.csv', '*_dev.csv', '**/dev-*.parquet'],
  },
  cue: '答案：',
  preamble: (subject) =>
    `以下是关于${cmmluSubjects[subject] ?? subject}的单项选择题，请直接给出正确答案的选项。\n\n`,
  splits: /_(test|dev)$/,
})
