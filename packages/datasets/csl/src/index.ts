import { columns, defineCollection, template, through } from '@ift/core/collection'
import { templates } from './templates.js'

const commas = (keywords: string) => keywords.replaceAll('_', ',')
const [title, abstract, discipline, category] = ['title', 'abstract', 'discipline', 'category'] as const
const fields = { title, abstract, keywords: through('keywords', commas), discipline, category }

const task = (folder: string, instruction: string, change = (answer: string) => answer) => ({
  names: `benchmark/${folder}/train.tsv`,
  read: columns({ instruction: () => instruction, input: 'text', output: through('answer', change) }),
})

/** A seeded task about every paper, and the tasks of the benchmark. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  csl: {
    files: ['csl_camera_readly.tsv'],
    converted: ['CSL/csl.json'],
    header: ['title', 'abstract', 'keywords', 'discipline', 'category'],
    quotes: false,
    read: template(templates, fields, { meta: ['category'] }),
  },
  'csl-benchmark': {
    files: [
      task('ts', '根据摘要生成标题：'),
      task('kg', '根据摘要和标题生成关键词：', commas),
      task('cls_ctg', '根据标题判断论文所属的门类：'),
      task('cls_dcp', '根据摘要判断论文所属的学科：'),
    ],
    some: true,
    header: ['prompt', 'text', 'answer'],
    quotes: false,
  },
})
