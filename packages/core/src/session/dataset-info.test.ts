import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DataSource } from '../config/schema.js'
import { readExamples } from '../data/index.js'
import { fromDatasetInfo } from './dataset-info.js'
import { findRecords } from './record-source.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-dataset-info-'))
  const put = (name: string, value: unknown) => writeFile(join(dir, 'data', name), JSON.stringify(value))
  await mkdir(join(dir, 'data/parts'), { recursive: true })
  await put('dataset_info.json', info)
  await put('alpaca.json', [
    { instruction: 'a', input: 'b', output: 'c' },
    { instruction: 'd', output: 'e' },
  ])
  await put('columns.json', [
    { q: 'a', context: 'b', a: 'c', sys: 's', turns: [['x', 'y']] },
    { q: 'd', a: 'e', note: 'f' },
  ])
  await put('tools.json', [{ q: 'a', more: 'b', a: 'c', functions: '[{"name":"f"}]' }])
  await put('documents.json', [{ content: 'a text', a: 'no answer' }])
  await put('sharegpt.json', [
    {
      conversations: [
        { from: 'human', value: 'a' },
        { from: 'function_call', value: '{}' },
        { from: 'observation', value: 'b' },
        { from: 'gpt', value: 'c' },
      ],
      tools: '[{"name":"f"}]',
    },
  ])
  await put('tags.json', [
    {
      dialog: [
        { role: 'system', text: 's' },
        { role: 'USER', text: 'a' },
        { role: 'BOT', text: 'b', weight: 0 },
      ],
    },
    { dialog: [{ role: 'human', text: 'a' }] },
  ])
  await put('openai.json', [
    {
      chat: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
      sys: 's',
    },
  ])
  await put('openai-tags.json', [
    {
      chat: [
        { from: 'developer', text: 's' },
        { from: 'Q', text: [{ type: 'text', text: 'a' }], weight: 0 },
        { from: 'A', text: null, tool_calls: [{ name: 'f' }] },
        { from: 'function', text: 'b' },
        { from: 'A', text: 'c' },
      ],
    },
    { chat: [{ from: 'user', text: 'a' }] },
  ])
  await put('parts/test.jsonl', { instruction: 'a', output: 'b' })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const info = {
  alpaca_zh: { file_name: 'alpaca.json' },
  some: { file_name: 'alpaca.json', num_samples: 1 },
  columns: {
    file_name: 'columns.json',
    columns: { prompt: 'q', query: 'context', response: 'a', system: 'sys', history: 'turns' },
  },
  wrong: { file_name: 'columns.json', columns: { prompt: 'question', response: 'a' } },
  tools: {
    file_name: 'tools.json',
    columns: { prompt: 'q', query: 'more', response: 'a', tools: 'functions' },
  },
  documents: { file_name: 'documents.json', columns: { prompt: 'content' } },
  folder: { file_name: 'parts' },
  chat: {
    file_name: 'sharegpt.json',
    formatting: 'sharegpt',
    columns: { messages: 'conversations', tools: 'tools' },
  },
  tags: {
    file_name: 'tags.json',
    formatting: 'sharegpt',
    columns: { messages: 'dialog' },
    tags: {
      role_tag: 'role',
      content_tag: 'text',
      user_tag: 'USER',
      assistant_tag: 'BOT',
      system_tag: 'system',
    },
  },
  openai: { file_name: 'openai.json', formatting: 'openai', columns: { messages: 'chat', system: 'sys' } },
  openai_tags: {
    file_name: 'openai-tags.json',
    formatting: 'openai',
    columns: { messages: 'chat' },
    tags: {
      role_tag: 'from',
      content_tag: 'text',
      user_tag: 'Q',
      assistant_tag: 'A',
      observation_tag: 'function',
    },
  },
  column_of_tags: {
    file_name: 'alpaca.json',
    formatting: 'sharegpt',
    columns: { messages: 'm', role: 'from' },
  },
  misspelt: { file_name: 'alpaca.json', columns: { prompt: 'instruction', respons: 'output' } },
  foreign: { file_name: 'alpaca.json', columns: { prompt: 'instruction', zzzzzzzzzzzz: 'output' } },
  misspelt_tag: { file_name: 'sharegpt.json', formatting: 'sharegpt', tags: { user_tags: 'USER' } },
  hub: { hf_hub_url: 'org/set', ms_hub_url: 'other/set', subset: 'zh', split: 'test' },
  hub_folder: {
    hf_hub_url: 'https://huggingface.co/datasets/org/set',
    folder: 'data/zh',
    split: 'train',
    num_samples: 5,
  },
  ranking: { file_name: 'alpaca.json', ranking: true },
  kto: { file_name: 'alpaca.json', columns: { prompt: 'a', kto_tag: 'label' } },
  pictures: {
    file_name: 'alpaca.json',
    formatting: 'sharegpt',
    columns: { messages: 'messages', images: 'images' },
  },
  script: { script_url: 'belle' },
  modelscope: { ms_hub_url: 'other/set' },
  outside: { file_name: '../secret.json' },
  part: { hf_hub_url: 'org/set', split: 'train[:10]' },
  form: { file_name: 'alpaca.json', formatting: 'chatml' },
}

const source = (name: string | undefined, more: Partial<DataSource> = {}): DataSource => ({
  path: 'data/dataset_info.json',
  encoding: 'utf-8',
  ...(name === undefined ? {} : { name }),
  ...more,
})

async function examples(name: string, more: Partial<DataSource> = {}) {
  const found = await fromDatasetInfo(dir, source(name, more))
  const { path, options } = await findRecords(dir, { ...found, path: found.path! })
  const made = []
  for await (const { example } of readExamples(path, options)) made.push(example)
  return made
}

const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

test.each([
  [
    'alpaca_zh',
    [
      { instruction: 'a', input: 'b', output: 'c' },
      { instruction: 'd', input: '', output: 'e' },
    ],
  ],
  ['some', [{ instruction: 'a', input: 'b', output: 'c' }]],
  [
    'columns',
    [
      { instruction: 'a', input: 'b', output: 'c', system: 's', history: [['x', 'y']] },
      { instruction: 'd', input: '', output: 'e' },
    ],
  ],
  ['tools', [{ messages: [user('a\nb'), assistant('c')], tools: [{ name: 'f' }] }]],
  ['documents', [{ text: 'a text' }]],
  ['folder', [{ instruction: 'a', input: '', output: 'b' }]],
  [
    'chat',
    [
      {
        messages: [user('a'), assistant('{}'), { role: 'tool', content: 'b' }, assistant('c')],
        tools: [{ name: 'f' }],
      },
    ],
  ],
  ['openai', [{ messages: [{ role: 'system', content: 's' }, user('a'), assistant('b')] }]],
])('%s', async (name, expected) => {
  expect(await examples(name)).toEqual(expected)
  expect(await examples(name, { path: 'data' })).toEqual(expected)
})

test('tags name the fields of a turn and its roles', async () => {
  expect(await examples('tags', { limit: 1 })).toEqual([
    { messages: [{ role: 'system', content: 's' }, user('a'), { ...assistant('b'), learned: false }] },
  ])
  await expect(examples('tags')).rejects.toMatchObject({
    code: 'IFT_DATA_RECORD',
    message: expect.stringMatching(
      /tags\.json:1: field "dialog\[0\]\.role": expected one of USER, BOT, /,
    ) as string,
    hint: 'Found "human". The names stand in `tags` of dataset_info.json.',
  })
})

test('tags of the formatting openai', async () => {
  expect(await examples('openai_tags', { limit: 1 })).toEqual([
    {
      messages: [
        { role: 'system', content: 's', fields: { role: 'developer' } },
        { ...user('a'), learned: false },
        { role: 'assistant', content: '', toolCalls: [{ name: 'f' }], fields: { content: null } },
        { role: 'tool', content: 'b' },
        assistant('c'),
      ],
    },
  ])
  await expect(examples('openai_tags')).rejects.toMatchObject({
    code: 'IFT_DATA_RECORD',
    message: expect.stringMatching(
      /openai-tags\.json:1: field "chat\[0\]\.from": expected one of Q, A, function, /,
    ) as string,
  })
})

test.each(['data', 'LF/data', 'work/LF/data', 'work/LF/data/v1', 'a/b@main/data'])(
  'files lie beside the list: %s',
  async (folder) => {
    const root = await mkdtemp(join(dir, 'root-'))
    await mkdir(join(root, folder), { recursive: true })
    await writeFile(join(root, folder, 'dataset_info.json'), '{"x": {"file_name": "a.json"}}')
    for (const path of [folder, `${folder}/dataset_info.json`])
      expect((await fromDatasetInfo(root, source('x', { path }))).path).toBe(join(root, folder, 'a.json'))
  },
)

test('what is set beside the name counts first', async () => {
  expect(await examples('some', { limit: 2 })).toHaveLength(2)
})

test('files of the hub', async () => {
  expect(await fromDatasetInfo(dir, source('hub'))).toMatchObject({
    path: 'hf:org/set/{zh/**,**/zh/**,**/*zh*}',
    split: 'test',
  })
  const folder = await fromDatasetInfo(dir, source('hub_folder'))
  expect(folder).toMatchObject({ path: 'hf:org/set/data/zh/**', limit: 5 })
  expect(folder.split).toBeUndefined()
})

test.each([
  ['ranking', /ranking: it is a set of preferences/],
  ['kto', /kto: it is a set of preferences/],
  ['pictures', /pictures: it has images/],
  ['script', /script: script_url: a program loads it/],
  ['modelscope', /modelscope: ms_hub_url or om_hub_url/],
  ['part', /part: split: "train\[:10\]"/],
  ['form', /form: formatting: "chatml"/],
  ['misspelt', /misspelt: columns: unknown name "respons"; known are prompt, query, response, /],
  ['foreign', /foreign: columns: unknown name "zzzzzzzzzzzz"/],
  ['column_of_tags', /column_of_tags: columns: unknown name "role"/],
  ['misspelt_tag', /misspelt_tag: tags: unknown name "user_tags"; known are role_tag, /],
])('%s says that it is not read', async (name, message) => {
  await expect(fromDatasetInfo(dir, source(name))).rejects.toMatchObject({
    code: 'IFT_FILE_UNSUPPORTED',
    message: expect.stringMatching(message) as string,
  })
})

test.each([
  ['misspelt', '"columns": { "response": … }'],
  ['foreign', 'Rename it, or delete it: "columns".'],
  ['misspelt_tag', '"tags": { "user_tag": … }'],
])('%s: the name that was meant', async (name, hint) => {
  await expect(fromDatasetInfo(dir, source(name))).rejects.toMatchObject({ hint })
})

test('files outside of the folder', async () => {
  await expect(fromDatasetInfo(dir, source('outside'))).rejects.toMatchObject({
    code: 'IFT_FILE_HOSTILE',
    message: expect.stringContaining('outside: file_name: "../secret.json"') as string,
  })
})

test('names that are not listed, and columns that are not there', async () => {
  await expect(fromDatasetInfo(dir, source('alpaca_hz'))).rejects.toMatchObject({
    code: 'IFT_CONFIG_INVALID',
    message: expect.stringMatching(/lists no data set "alpaca_hz"; there are alpaca_zh, /) as string,
    hint: 'data: { path: data/dataset_info.json, name: alpaca_zh }',
  })
  await expect(fromDatasetInfo(dir, source(undefined))).rejects.toMatchObject({ code: 'IFT_CONFIG_INVALID' })
  await expect(examples('wrong')).rejects.toMatchObject({
    code: 'IFT_DATA_RECORD',
    message: expect.stringMatching(
      /columns\.json:1: field "question": expected a field that `columns` of dataset_info\.json names, found nothing/,
    ) as string,
  })
})

test('other sources stay what they are', async () => {
  for (const one of [
    source('alpaca', { path: 'data' }),
    source('x', { path: 'data/parts' }),
    source(undefined, { path: 'data' }),
  ])
    expect(await fromDatasetInfo(dir, one)).toBe(one)
  // The list itself is no data of its folder.
  const { files } = await findRecords(dir, { ...source(undefined), path: 'data' })
  expect(files.some((file) => file.endsWith('dataset_info.json'))).toBe(false)
  await mkdir(join(dir, 'bad'))
  await writeFile(join(dir, 'bad/dataset_info.json'), '{"x": {"columns": {"prompt": 3}}}')
  await expect(fromDatasetInfo(dir, source('x', { path: 'bad' }))).rejects.toMatchObject({
    code: 'IFT_FILE_CORRUPT',
    message: expect.stringContaining('x.columns.prompt: expected a text') as string,
  })
})
