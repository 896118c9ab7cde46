// What a selection may be written with: keys and tags, in English and in Chinese.

/** Every word that a key or a value may be written as, by the one that it stands for. */
export type Words = Readonly<Record<string, readonly string[]>>

const keys = {
  lang: ['lang', 'language', '语言'],
  task: ['task', '任务'],
  gen: ['gen', 'generation', '来源', '生成', '生成方式'],
  kind: ['kind', 'form', '类型', '形式'],
  licence: ['licence', 'license', '许可', '许可证', '协议'],
  count: ['count', 'size', '数量', '规模'],
  name: ['name', '名称', '名字'],
  package: ['package', '包'],
} as const satisfies Words

export type SelectionKey = keyof typeof keys

/** Values of the keys that have a list of them. */
export const selectionWords = {
  lang: {
    EN: ['en', 'english', '英文', '英语'],
    CN: ['cn', 'zh', 'chinese', '中文', '汉语'],
    ML: ['ml', 'multilingual', '多语', '多语言', '多语种'],
  },
  task: {
    MT: ['mt', 'multi-task', 'multitask', '多任务'],
    TS: ['ts', 'task-specific', '特定任务', '单任务'],
  },
  gen: {
    HG: ['hg', 'human', '人工', '人工生成', '人类生成'],
    SI: ['si', 'self-instruct', '自指令', '自指导', '自生成'],
    MIX: ['mix', 'mixed', '混合'],
    COL: ['col', 'collection', '收集', '数据集收集'],
  },
  kind: {
    instruction: ['instruction', '指令'],
    dialog: ['dialog', 'dialogue', '对话'],
    preference: ['preference', '偏好'],
    table: ['table', 'tabular', '表格'],
    exam: ['exam', '考试'],
  },
} as const satisfies Readonly<Record<string, Words>>

/** What `licence` takes besides the identifier of one. */
export const licenceWords = {
  nc: ['nc', 'non-commercial', 'noncommercial', '非商业', '非商用'],
  sa: ['sa', 'share-alike', 'sharealike', '相同方式共享'],
  commercial: ['commercial', '商业', '可商用'],
} as const satisfies Words

/** The entry of a table that a word stands for, whatever its case. */
export const meant = <W extends Words>(words: W, text: string): keyof W | undefined =>
  Object.keys(words).find((name) => words[name]!.includes(text.toLowerCase()))

export const keyOf = (text: string): SelectionKey | undefined => meant(keys, text)

/** The key as messages name it, and every word that a key can be written as. */
export const keyNames = Object.keys(keys) as readonly SelectionKey[]
export const keyWords: readonly string[] = Object.values(keys).flat()
