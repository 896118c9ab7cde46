import { execFileSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configJsonSchema, optionRows } from './json-schema.js'
import { loadConfigFile } from './load.js'
import { suggest } from '../suggest.js'
import { resolveConfig } from './validate.js'

const folder = () => mkdtempSync(join(tmpdir(), 'ift-config-'))

const fault = (input: unknown): string => {
  try {
    resolveConfig(input, 'ift.config.json')
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('the config was accepted')
}

describe('validation', () => {
  test('fills in every default', () => {
    const config = resolveConfig({ weights: './m', data: 'alpaca' }, 'test')
    expect(config.train.batchSize).toBe(128)
    expect(config.peft).toEqual({ method: 'lora' })
    expect(config.generate.temperature).toBe(1)
  })

  test('an unknown option names its place and the one that was meant', () => {
    expect(fault({ train: { learning_rat: 1 } })).toContain(
      'unknown option "train.learning_rat": did you mean "train.learningRate"?',
    )
    expect(fault({ wieghts: 'x' })).toContain('did you mean "weights"?')
    expect(fault({ data: [{ path: 'a.json', colums: {} }] })).toContain('did you mean "data.0.columns"?')
  })

  test('a wrong value names the option and what was found', () => {
    const message = fault({ train: { epochs: 'three' }, trainOn: 'everything' })
    expect(message).toContain('train.epochs')
    expect(message).toContain('"three"')
    expect(message).toContain('trainOn')
  })

  test('of several forms of an option, the one that takes the value says what is wrong in it', () => {
    expect(fault({ data: [{ path: 'a.json', limit: 'x' }] })).toMatch(/- data\.0\.limit: .*number.*found "x"/)
    expect(fault({ decontaminate: { against: 'x:test', action: 'kill' } })).toMatch(
      /- decontaminate\.action: .*"drop"\|"warn"\|"error", found "kill"/,
    )
    expect(fault({ decontaminate: { agianst: 'x' } })).toContain('did you mean "decontaminate.against"?')
    expect(fault({ decontaminate: { against: 'x:test', wrods: 5 } })).toContain(
      'did you mean "decontaminate.words"?',
    )
    expect(fault({ decontaminate: { name: 'gsm8k', split: 5 } })).toMatch(
      /- decontaminate\.split: .*string.*found 5/,
    )
    expect(fault({ decontaminate: { against: 5, action: 'kill' } })).toMatch(
      /- decontaminate\.against: .*expected string, object or array, found 5\n.*- decontaminate\.action: /,
    )
    expect(fault({ dedup: 'fuzzy' })).toContain('dedup: expected true, false, exact, near, or an object')
    expect(fault({ dedup: { near: 2 } })).toMatch(/- dedup\.near: .*<=1, found 2/)
    expect(fault({ dedup: { near: 0.8, bands: 7 } })).toMatch(/- dedup\.bands: .*divide.*found 7/)
    // Alternatives that do not say what they take are named by their types.
    const types = 'Invalid input: expected'
    expect(fault({ decontaminate: 5 })).toContain(
      `- decontaminate: ${types} string, array or object, found 5`,
    )
    expect(fault({ decontaminate: [1] })).toContain(`- decontaminate.0: ${types} string or object, found 1`)
    expect(fault({ data: ['a', null] })).toContain(`- data.1: ${types} string or object, found null`)
    expect(fault({ data: true })).toContain(`- data: ${types} string, object or array, found true`)
    expect(fault({ plugins: [5] })).toContain('- plugins.0: expected the name of a package, a file')
    expect(fault({ adapter: { a: 5 } })).toMatch(/- adapter\.a: .*expected string.*found 5/)
  })
})

describe('loading', () => {
  test
    .skipIf(process.platform === 'win32')
    .each(['ift.config.json', '.iftrc', 'ift.config.ts', 'package.json'])(
    'a pipe called %s, here or above, is not waited for',
    async (name) => {
      const dir = folder()
      execFileSync('mkfifo', [join(dir, name)])
      mkdirSync(join(dir, 'inner'))
      for (const cwd of [dir, join(dir, 'inner')])
        await expect(loadConfigFile(cwd)).rejects.toMatchObject({
          code: 'IFT_CONFIG_SYNTAX',
          message: `The config ${join(dir, name)} is neither a file nor a folder.`,
        })
      // A nearer config: what lies above is not looked at.
      writeFileSync(join(dir, 'inner', 'ift.config.json'), '{"weights": "w"}')
      expect((await loadConfigFile(join(dir, 'inner'))).config).toEqual({ weights: 'w' })
    },
  )

  test.each(['ift.config.json', 'ift.config.yaml', '.iftrc', 'package.json'])(
    'a sparse %s of 100 GB is refused by its length, found or named',
    async (name) => {
      const dir = folder()
      writeFileSync(join(dir, name), '{}')
      truncateSync(join(dir, name), 100 * 2 ** 30)
      for (const file of [undefined, name])
        await expect(loadConfigFile(dir, file)).rejects.toMatchObject({
          code: 'IFT_CONFIG_INVALID',
          message: expect.stringContaining('107374182400 bytes, expected at most 1048576') as string,
        })
    },
  )

  test.each([
    ['ift.config.json', '{"weights": "w"}'],
    ['ift.config.yaml', 'weights: w\n'],
    ['.iftrc', 'weights: w\n'],
    ['package.json', '{"name": "x", "ift": {"weights": "w"}}'],
    ['ift.config.mjs', 'export default { weights: "w" }\n'],
    ['ift.config.ts', 'enum E { A = "w" }\nexport default { weights: E.A as string }\n'],
  ])('%s', async (name, text) => {
    const dir = folder()
    writeFileSync(join(dir, name), text)
    mkdirSync(join(dir, 'inner'))
    const found = await loadConfigFile(join(dir, 'inner'))
    expect(found.config).toEqual({ weights: 'w' })
    expect(found.rootDir).toBe(dir)
  })

  test('a file that is named and absent, and one that is broken', async () => {
    const dir = folder()
    await expect(loadConfigFile(dir, 'none.json')).rejects.toMatchObject({ code: 'IFT_CONFIG_NOT_FOUND' })
    writeFileSync(join(dir, 'ift.config.json'), '{"weights": ')
    await expect(loadConfigFile(dir)).rejects.toMatchObject({ code: 'IFT_CONFIG_SYNTAX' })
  })
})

test('suggest finds near names and leaves far ones alone', () => {
  expect(suggest('learning_rate', ['learningRate', 'epochs'])).toBe('learningRate')
  expect(suggest('zzzzzz', ['learningRate', 'epochs'])).toBeNull()
})

test('the JSON Schema describes every option and has no integer noise', () => {
  const text = JSON.stringify(configJsonSchema())
  expect(text).not.toContain('9007199254740991')
  const rows = optionRows()
  expect(rows.find((row) => row.path === 'train.learningRate')).toMatchObject({
    type: 'number',
    default: 3e-4,
  })
  expect(rows.filter((row) => !row.description)).toEqual([])
  const typeOf = (path: string) => rows.find((row) => row.path === path)?.type
  expect(typeOf('data')).toBe('string | object | (string | object)[]')
  expect(typeOf('decontaminate')).toBe('string | (string | object)[] | object')
  expect(typeOf('generate.stop')).toBe('string[]')
})
