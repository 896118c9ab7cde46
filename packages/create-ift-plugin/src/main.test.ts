import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { candidates, nouns as coreNouns, type PluginKind } from '@ift/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main, nouns, scaffold } from './index.js'
import { rangeOf } from './package-json.js'
import { tools } from './tools.js'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ift-create-'))
})
afterEach(() => {
  rmSync(cwd, { recursive: true })
})

/** Runs a command line; `answers` are those of somebody at a terminal, who then ends the input. */
async function run(argv: readonly string[], answers?: string[]) {
  const said = { out: '', err: '' }
  const code = await main(argv, {
    cwd,
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    ask: answers ? () => Promise.resolve(answers.shift() ?? null) : null,
  })
  return { code, ...said }
}

describe('nouns', () => {
  test('are all that a package can provide', () => {
    expect(nouns.map(({ noun }) => noun).sort()).toEqual([...coreNouns].sort())
  })

  test.each(nouns.filter(({ noun }) => noun !== 'verb').map(({ noun, word }) => [noun, word]))(
    'a plugin of the noun %s has the name under which ift looks for it',
    (noun, word) => {
      expect(candidates(noun as PluginKind, 'x')).toContain(`ift-plugin-${word}-x`)
    },
  )

  test.each(nouns.map((noun) => [noun.noun, noun] as const))('%s: no name is left open', (_, noun) => {
    const files = scaffold({ noun, name: 'heavy-ball' })
    for (const [path, text] of files) expect(`${path}\n${text}`).not.toMatch(/__\w+__/)
    // A formatter of Markdown takes underscores for bold.
    expect(files.get('README.md')).toMatch(/^# `ift-plugin-[a-z]+-heavy-ball`\n/)
    expect(files.get('README.md')).not.toMatch(/\*\*\w/)
    expect([...files.keys()]).toEqual(
      expect.arrayContaining([
        'package.json',
        '.gitignore',
        'README.md',
        'src/index.ts',
        'src/index.test.ts',
      ]),
    )
  })
})

test('tools are those that ift uses', () => {
  const catalog = readFileSync(new URL('../../../pnpm-workspace.yaml', import.meta.url), 'utf8')
  for (const [name, version] of Object.entries(tools))
    expect(catalog).toMatch(name.includes('@') ? `'${name}': ${version}` : `  ${name}: ${version}\n`)
})

test('before 1.0 a plugin fits every version from its own on', () => {
  expect(rangeOf('0.3.1')).toBe('>=0.3.1 <1')
  expect(rangeOf('2.0.0')).toBe('^2.0.0')
})

test('a plugin is written into a folder of its name, and told what to do next', async () => {
  const { code, out, err } = await run(['optimizer', 'heavy-ball'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const folder = join(cwd, 'ift-plugin-optimizer-heavy-ball')
  expect(readdirSync(folder).sort()).toEqual([
    '.gitignore',
    'README.md',
    'package.json',
    'src',
    'tsconfig.json',
    'tsup.config.ts',
    'vitest.config.ts',
  ])
  expect(out).toContain('cd ift-plugin-optimizer-heavy-ball\nnpm install\nnpm test')
  expect(readFileSync(join(folder, 'src', 'index.ts'), 'utf8')).toContain("name: 'heavy-ball'")
})

test('names of the package and the folder can be others', async () => {
  const { code } = await run(['kernels', 'npu', '--package', '@acme/npu', '--folder', 'here/there'])
  expect(code).toBe(0)
  const json = JSON.parse(readFileSync(join(cwd, 'here/there/package.json'), 'utf8')) as object
  expect(json).toMatchObject({ name: '@acme/npu', ift: { provides: { backend: { npu: {} } } } })
})

test('what is not on the command line is asked for', async () => {
  expect(await run([], ['verb', ' words '])).toMatchObject({ code: 0 })
  expect(readdirSync(cwd)).toEqual(['ift-plugin-verb-words'])
  expect(await run([], ['verb'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('NAME is missing') as string,
  })
})

test.each([
  [[], 'NOUN is missing.'],
  [['optimizer'], 'NAME is missing.'],
  [['optimiser', 'x'], 'NOUN: expected dataset, model, peft'],
  [['optimizer', 'Heavy'], 'NAME: expected small letters, digits and single hyphens'],
  [['optimizer', '../x'], 'found "../x"'],
  [['optimizer', `a${'b'.repeat(60)}`], '60 characters at most'],
  [['optimizer', '\u001b[2J'], String.raw`found "\u001b[2J"`],
  [['optimizer', 'x', '--package', 'Acme'], '--package: expected a name that npm accepts'],
  [['optimizer', 'x', 'y'], 'expected NOUN and NAME, found 3 words.'],
  [['optimizer', 'x', '--colour'], '--colour'],
  [['optimizer', 'x', '--\u001b[2J'], '--\\u001b[2J'],
])('%j is refused with what to type', async (argv, message) => {
  const { code, err, out } = await run(argv)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain(message)
  expect(err).toContain('  → ')
  expect(err).not.toContain('\u001b')
  expect(readdirSync(cwd)).toEqual([])
})

test('a folder with something in it is left as it is', async () => {
  mkdirSync(join(cwd, 'mine'))
  writeFileSync(join(cwd, 'mine', 'notes.txt'), 'mine')
  const { code, err } = await run(['optimizer', 'x', '--folder', 'mine'])
  expect(code).toBe(1)
  expect(err).toContain('expected an empty folder, found notes.txt in it')
  expect(readdirSync(join(cwd, 'mine'))).toEqual(['notes.txt'])
})

test('a place that cannot be written is named', async () => {
  writeFileSync(join(cwd, 'file'), '')
  const { code, err } = await run(['optimizer', 'x', '--folder', 'file/there'])
  expect(code).toBe(1)
  expect(err).toContain(`${join(cwd, 'file/there')} could not be written`)
})

test('the help lists every noun', async () => {
  const { code, out } = await run(['--help'])
  expect(code).toBe(0)
  for (const { noun, what } of nouns) expect(out).toContain(`${noun.padEnd(12)}${what}`)
  const { version } = JSON.parse(
    readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8'),
  ) as { version: string }
  expect((await run(['--version'])).out).toBe(`${version}\n`)
})
