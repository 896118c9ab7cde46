// @ts-check
// The catalogue of datasets as a page, in English and in Chinese, from the cards.

/** @typedef {import('@ift/core').KnownDataset} KnownDataset */

/**
 * @typedef {object} Language
 * @property {string} lead everything above the table
 * @property {string} warnings everything above the list of what sets hold
 * @property {readonly string[]} columns
 * @property {Readonly<Record<string, string>>} words tags, forms, units and licences as they are written
 * @property {(count: number) => string} number
 * @property {(one: string) => string} contains
 * @property {(one: string) => string} evaluation
 * @property {string} separator between names
 * @property {string} clause between what is said of them
 * @property {boolean} described whether the descriptions of the cards, in English, have a column
 */

/** @type {Readonly<Record<'en' | 'zh-CN', Language>>} */
const languages = {
  en: {
    lead: `# Datasets

English · [中文](datasets.zh-CN.md)

The instruction datasets that ift has packages for; none of their data is in a package. \`npx ift data list lang:cn gen:si -licence:nc\` chooses among
them, \`npx ift data show NAME\` prints all that is known of one, and \`data: { select: 'lang:cn gen:si' }\` trains on a choice
([data.md](data.md#choosing-datasets)). The page is made from the cards of the packages (\`node scripts/docs.mjs\`).

Language: \`EN\`, \`CN\`, \`ML\` (many). Tasks: \`MT\` (many), \`TS\` (one). Made: \`HG\` by people, \`SI\` by self-instruction, \`MIX\` both, \`COL\` collected from
other sets. Licence: \`NC\` is not for commercial use, \`SA\` is to be shared alike, \`?\` says nothing of commercial use; outputs of OpenAI's models have its
terms besides. \`EVAL\`: holds data that others evaluate on. Records are those of the published set, where somebody states or counted them.
`,
    warnings: `## What they hold of each other

Data that stands in two sets is learned twice, and evaluation data makes an evaluation worthless. \`npx ift data audit\` finds both
([data.md](data.md#duplicates-and-contamination)).
`,
    columns: ['name', '', 'language', 'tasks', 'made', 'form', 'records', 'licence', 'package'],
    words: {},
    number: (count) => count.toLocaleString('en'),
    contains: (one) => `contains ${one}`,
    evaluation: (one) => `evaluation data: ${one}`,
    separator: ', ',
    clause: '; ',
    described: true,
  },
  'zh-CN': {
    lead: `# 数据集

[English](datasets.md) · 中文

ift 提供以下指令数据集的软件包；包内不含数据本身。\`npx ift data list 语言:中文 来源:自指令 -许可:非商业\` 按标签选择数据集，\`npx ift data show NAME\`
显示一个数据集的全部信息，配置中的 \`data: { select: '语言:中文 来源:自指令' }\` 用所选数据集训练（见 [data.md](data.md#choosing-datasets)）。本页由各软件包的
卡片生成（\`node scripts/docs.mjs\`）。

许可：\`NC\` 禁止商业使用，\`SA\` 须以相同方式共享，\`?\` 未说明能否商用；OpenAI 模型的输出另受其条款约束。\`EVAL\`：含有他人用于评测的数据。记录数为已发布数据集的
记录数，仅在有出处或实际统计过时列出。
`,
    warnings: `## 相互包含与评测数据

同时出现在两个数据集中的数据会被学习两次；混入评测数据会使评测结果失去意义。\`npx ift data audit\` 可以找出这两种情况
（见 [data.md](data.md#duplicates-and-contamination)）。
`,
    columns: ['名称', '语言', '任务', '来源', '形式', '记录数', '许可', '软件包'],
    words: {
      EN: '英文',
      CN: '中文',
      ML: '多语言',
      MT: '多任务',
      TS: '特定任务',
      HG: '人工',
      SI: '自指令',
      MIX: '混合',
      COL: '收集',
      instruction: '指令',
      dialog: '对话',
      preference: '偏好',
      table: '表格',
      exam: '考试',
      instructions: '条指令',
      questions: '个问题',
      dialogs: '段对话',
      conversations: '段对话',
      problems: '道题',
      pairs: '对',
      records: '条记录',
      papers: '篇论文',
      instances: '个实例',
      sentences: '个句子',
      replies: '条回复',
      answers: '个回答',
      comparisons: '组比较',
      statements: '条陈述',
      hypotheses: '条假设',
      'none stated': '未说明',
    },
    number: (count) => count.toLocaleString('en'),
    contains: (one) => `包含 ${one}`,
    evaluation: (one) => `评测数据：${one}`,
    separator: '、',
    clause: '；',
    described: false,
  },
}

export const pageLanguages = /** @type {readonly ('en' | 'zh-CN')[]} */ (Object.keys(languages))

const cell = (/** @type {string} */ text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** @param {KnownDataset['license']} license */
const marksOf = ({ commercial, shareAlike }) => [
  ...(commercial === false ? ['`NC`'] : commercial === undefined ? ['`?`'] : []),
  ...(shareAlike ? ['`SA`'] : []),
]

/** @param {KnownDataset} one @param {Language} language */
function rowOf(one, { words, number, described }) {
  const say = (/** @type {string} */ word) => words[word] ?? word
  const { name, description, tags, kind, count, unit, license, evaluation, card } = one
  const list = (/** @type {readonly string[]} */ of) => of.map(say).join('/')
  const folder = card?.name
  return [
    `\`${name}\``,
    ...(described ? [`${card?.title ?? ''}: ${description}`] : []),
    ...[tags?.lang, tags?.task, tags?.gen, kind].map((of = []) => list(of)),
    count === null ? '' : `${number(count)} ${say(unit ?? '')}`.trimEnd(),
    [say(license.id ?? ''), ...marksOf(license), ...(evaluation.length > 0 ? ['`EVAL`'] : [])].join(' '),
    folder === undefined ? (one.package ?? '') : `[${folder}](../packages/datasets/${folder})`,
  ]
}

/** What a set holds of others, and what of it is evaluated on; one line for the sets of a package that say the same. */
function holdings(/** @type {readonly KnownDataset[]} */ datasets, /** @type {Language} */ language) {
  /** @type {Map<string, string[]>} */
  const lines = new Map()
  for (const { name, package: of, facts } of datasets) {
    const { contains = [], evaluation = [] } = facts ?? {}
    const said = [
      ...(contains.length > 0 ? [language.contains(contains.join(language.separator))] : []),
      ...(evaluation.length > 0 ? [language.evaluation(evaluation.join(language.separator))] : []),
    ]
    if (said.length === 0) continue
    const key = JSON.stringify([of, said.join(language.clause)])
    lines.set(key, [...(lines.get(key) ?? []), `\`${name}\``])
  }
  return [...lines].map(([key, names]) => `- ${names.join(', ')}: ${JSON.parse(key)[1]}`)
}

/**
 * @param {readonly KnownDataset[]} datasets
 * @param {keyof typeof languages} code
 */
export function datasetsPage(datasets, code) {
  const language = languages[code]
  const { lead, warnings, columns } = language
  const table = [
    columns,
    columns.map(() => '---'),
    ...datasets.map((one) => rowOf(one, language).map(cell)),
  ].map((row) => `| ${row.join(' | ')} |`)
  return [lead, `${table.join('\n')}\n`, warnings, `${holdings(datasets, language).join('\n')}\n`].join('\n')
}
