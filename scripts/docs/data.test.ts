import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import {
  configJsonSchema,
  dataFiles,
  formatNames,
  loadConfigFile,
  readExamples,
  resolveConfig,
  type Example,
  type FormatName,
} from '@ift/core'
import { cells, fences, sections } from './markdown.mjs'

// What docs/data.md says of forms, fields and files is tried on the readers.

const page = readFileSync(fileURLToPath(new URL('../../docs/data.md', import.meta.url)), 'utf8')
const parts = sections(page)
const section = (heading: string) => {
  const text = parts.get(heading)
  if (text === undefined) throw new Error(`docs/data.md has no section "${heading}"`)
  return text
}
const codes = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)

const dir = mkdtempSync(join(tmpdir(), 'ift-docs-data-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function exampleOf(record: unknown, options: { format?: FormatName } = {}): Promise<Example> {
  const file = join(dir, 'record.json')
  writeFileSync(file, JSON.stringify(record))
  for await (const { example } of readExamples(file, options)) return example
  throw new Error('no example')
}

test('every example is a record of its form', async () => {
  for (const name of formatNames) {
    const blocks = fences(section(`\`${name}\``))
    expect(blocks.length, name).toBeGreaterThan(0)
    for (const { text } of blocks) {
      const record: unknown = JSON.parse(text)
      expect(await exampleOf(record), text).toEqual(await exampleOf(record, { format: name }))
    }
  }
})

test('the forms stand in the order in which a record is asked', () => {
  expect(
    [...parts.keys()].filter((heading) => formatNames.some((name) => heading === `\`${name}\``)),
  ).toEqual(formatNames.map((name) => `\`${name}\``))
})

test('field names of published sets', async () => {
  const rows = cells(section('`alpaca`')).filter((row) => row.length === 4 && row[0] !== 'instruction')
  const names = rows.map(([instruction, input, output]) =>
    [instruction, input, output].map((cell) => codes(cell!)[0]),
  )
  expect(names.length).toBe(8)
  for (const [instruction, input, output] of names) {
    const record = { [instruction!]: 'q', ...(input && { [input]: 'i' }), [output!]: 'a' }
    expect(await exampleOf(record)).toEqual({ instruction: 'q', input: input ? 'i' : '', output: 'a' })
  }
})

test('roles', async () => {
  const roleRow = (form: string, field: string) =>
    codes(cells(section(form)).find(([name]) => name!.includes(field))![1]!)
  for (const role of roleRow('`messages`', 'messages[].role'))
    expect(await exampleOf({ messages: [{ role, content: 'x' }] })).toHaveProperty('messages')
  for (const from of roleRow('`sharegpt`', '.from'))
    expect(await exampleOf({ conversations: [{ from, value: 'x' }] })).toHaveProperty('messages')
})

test('fields of an entry are those of the schema', () => {
  const rows = cells(section('Data')).filter(([name]) => /^`\w+`$/.test(name!))
  const fields = entryFields(configJsonSchema())
  expect(rows.map(([name]) => codes(name!)[0]).sort()).toEqual([...fields].sort())
})

/** Fields of the first object in a schema that has a name and a limit: those of an entry of data. */
function entryFields(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {} } = schema as { properties?: object }
  if ('name' in properties && 'limit' in properties) return Object.keys(properties)
  for (const value of Object.values(schema)) {
    const found = entryFields(value)
    if (found.length > 0) return found
  }
  return []
}

test('configs can be read', async () => {
  const blocks = fences(page).filter(({ language }) => language === 'yaml')
  expect(blocks.length).toBeGreaterThan(2)
  for (const { text } of blocks) {
    writeFileSync(join(dir, 'ift.config.yaml'), text)
    const { config } = await loadConfigFile(dir)
    const { data } = resolveConfig(config, 'docs/data.md')
    expect([data].flat().length > 0, text).toBe(/^data:/m.test(text))
  }
})

test('files of a held-out split are not trained on', async () => {
  const words = /held-out split \(([^)]+)\)/.exec(page.replaceAll('\n', ' '))![1]!
  const folder = join(dir, 'splits')
  mkdirSync(folder)
  for (const name of [...codes(words), 'train', 'more']) writeFileSync(join(folder, `${name}-0.jsonl`), '')
  expect((await dataFiles(folder, 'training')).map((file) => basename(file))).toEqual([
    'more-0.jsonl',
    'train-0.jsonl',
  ])
})
