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
 * @property {(one: KnownDataset) => string} described
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
    described: ({ card, description }) => `${card?.title ?? ''}: ${description}`,
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
    columns: ['名称', '', '语言', '任务', '来源', '形式', '记录数', '许可', '软件包'],
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
      'InstructWild non-commercial': 'InstructWild 非商业许可',
      'CC-BY-SA, version not stated': 'CC-BY-SA（未注明版本）',
      'TableQA: research only, no redistribution': 'TableQA：仅限研究，不得再分发',
      'CommonsenseQA (dev)': 'CommonsenseQA（开发集）',
      'AQuA (test)': 'AQuA（测试集）',
      'coin flip': '抛硬币',
      'last letters': '末字母拼接',
      'the test tasks of the set itself, in natural-instructions-all':
        'natural-instructions-all 含有该数据集自身的测试任务',
      'AIT-QA, which has no other split': 'AIT-QA（没有其他划分）',
      'validation and test splits of its tasks; only those with hidden labels were left out':
        '所含任务的验证集与测试集，只排除了标签未公开者',
      // Parts of a set without their number.
      ':questions': '问题',
      prompts: '提示',
      tasks: '任务',
      seeds: '种子任务',
    },
    number: (count) => count.toLocaleString('en'),
    contains: (one) => `包含 ${one}`,
    evaluation: (one) => `评测数据：${one}`,
    separator: '、',
    clause: '；',
    described: ({ facts, card, description }) => facts?.zh ?? `${card?.title ?? ''}：${description}`,
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
  const { name, tags, kind, count, unit, license, evaluation, card } = one
  const list = (/** @type {readonly string[]} */ of) => of.map(say).join('/')
  const folder = card?.name
  return [
    `\`${name}\``,
    described(one),
    ...[tags?.lang, tags?.task, tags?.gen, kind].map((of = []) => list(of)),
    count === null ? '' : `${number(count)} ${say(unit ?? '')}`.trimEnd(),
    [say(license.id ?? ''), ...marksOf(license), ...(evaluation.length > 0 ? ['`EVAL`'] : [])].join(' '),
    folder === undefined ? (one.package ?? '') : `[${folder}](../packages/datasets/${folder})`,
  ]
}

/** `name:part` with the words of the part in the language, and numbers as it writes them. */
function partText(/** @type {string} */ one, /** @type {Language} */ { words }) {
  const [name, part] = one.split(/:(.*)/s)
  if (part === undefined) return one
  const [, count, unit] = /^(?:([\d,]+) )?(.*)$/s.exec(part) ?? []
  const said = (count === undefined ? words[`:${unit}`] : undefined) ?? words[unit ?? ''] ?? unit
  if (said === unit) return one
  return `${name}（${count === undefined ? said : `${count} ${said}`}）`
}

/** What a set holds of others, and what of it is evaluated on; one line for the sets of a package that say the same. */
function holdings(/** @type {readonly KnownDataset[]} */ datasets, /** @type {Language} */ language) {
  /** @type {Map<string, string[]>} */
  const lines = new Map()
  for (const { name, package: of, facts } of datasets) {
    const { contains = [], evaluation = [] } = facts ?? {}
    const { separator } = language
    const said = [
      ...(contains.length > 0
        ? [language.contains(contains.map((one) => partText(one, language)).join(separator))]
        : []),
      ...(evaluation.length > 0
        ? [language.evaluation(evaluation.map((one) => language.words[one] ?? one).join(separator))]
        : []),
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
