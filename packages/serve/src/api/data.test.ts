// Data of the page: columns that are not known are asked for, rows are found by their tags.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ift } from '@ift/core'
import { createServer, type Server } from '../server.js'
import { tinyModel } from '../server.fixture.js'
import type { DataProgress, DataReply, DataUnmapped, RowsReply } from './types.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-data-'))
/** A set with tags, from the records of its own tests. */
const tagged = {
  name: 'alpaca',
  path: fileURLToPath(new URL('../../../datasets/alpaca/fixtures/raw', import.meta.url)),
} as const
let ift: Ift
let server: Server
beforeAll(async () => {
  writeFileSync(
    join(dir, 'tea.csv'),
    'id,user_query,tea_answer\n1,Which tea is green?,Sencha.\n2,Which tea is black?,Assam.\n',
  )
  writeFileSync(
    join(dir, 'rows.jsonl'),
    '{"messages":[{"role":"user","content":"你好"},{"role":"assistant","content":"你好。"}]}\n',
  )
  const model = { weights: tinyModel, template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 1 } as const
  ift = await Ift.load({
    cwd: dir,
    config: { ...model, data: ['rows.jsonl', 'tea.csv', tagged] },
    searchFrom: [fileURLToPath(new URL('../../../..', import.meta.url))],
  })
  server = createServer(ift, { withoutModel: true, page: { folder: null, program: null } })
  server.bind({ host: '127.0.0.1', port: 8410 })
})
afterAll(async () => {
  await server.close()
  await ift.close()
  rmSync(dir, { recursive: true })
})

const ask = (path: string, body?: unknown) =>
  server.fetch(
    new Request(new URL(path, 'http://127.0.0.1:8410'), {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: {
        host: '127.0.0.1:8410',
        'content-type': 'application/json',
        authorization: `Bearer ${server.token}`,
      },
    }),
  )

/** The data when they are read. */
const read = async (): Promise<DataReply | DataUnmapped> => {
  for (;;) {
    const reply = (await (await ask('/api/data/config')).json()) as DataReply | DataUnmapped | DataProgress
    if (!('reading' in reply)) return reply
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('columns that are not known are asked for with a guess and records, and read as they are said to be', async () => {
  const asked = await read()
  if (!('unmapped' in asked)) throw new Error(JSON.stringify(asked))
  const { unmapped } = asked
  expect(unmapped).toMatchObject({
    ...{ entry: 1, path: 'tea.csv', format: 'alpaca', found: ['id', 'user_query', 'tea_answer'] },
    columns: { instruction: 'user_query', output: 'tea_answer' },
    records: [
      { id: '1', user_query: 'Which tea is green?', tea_answer: 'Sencha.' },
      { id: '2', user_query: 'Which tea is black?', tea_answer: 'Assam.' },
    ],
  })
  expect((await ask('/api/data/config/rows')).status).toBe(409)
  const { entry, format, columns } = unmapped
  for (const wrong of [
    { entry: 0, format, columns },
    { entry, format: 'parrot', columns },
    { entry, format, columns: { instruction: 'user_query' } },
    { entry, format, columns: { ...columns, input: 'nothing' } },
  ])
    expect([wrong, (await ask('/api/data/config/columns', wrong)).status]).toEqual([wrong, 400])
  expect((await ask('/api/data/config/columns', { entry, format, columns })).status).toBe(204)
  const mapped = await read()
  if ('unmapped' in mapped) throw new Error(JSON.stringify(mapped))
  const own = mapped.sources.find(({ name }) => name === 'alpaca')!.rows
  expect(mapped.totals.rows).toBe(3 + own)
  expect(mapped.data).toMatchObject(['rows.jsonl', { path: 'tea.csv', format, columns }, tagged])
  expect(mapped.mappings).toMatchObject([{ entry: 1, columns, problem: null }])
  const rowsOf = async (query = '') =>
    (await (await ask(`/api/data/config/rows${query}`)).json()) as RowsReply
  expect((await rowsOf()).rows.slice(0, 3).map(({ title }) => title)).toEqual([
    '你好',
    'Which tea is green?',
    'Which tea is black?',
  ])
  expect(mapped.tags.slice(0, 3)).toEqual(
    ['lang:EN', 'task:MT', 'gen:SI'].map((tag) => {
      const [key, value] = tag.split(':')
      return { key, value, count: own }
    }),
  )
  const { rows, total } = await rowsOf('?tag=lang:EN')
  expect(total).toBe(own)
  expect(new Set(rows.map(({ source }) => source))).toEqual(new Set(['alpaca']))
  expect((await rowsOf('?tag=lang:CN')).total).toBe(0)
})
