import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { main } from './main.js'
import { Terminal } from './ui/terminal.js'

const root = mkdtempSync(join(tmpdir(), 'ift-verbs-'))
const home = process.cwd()
afterAll(() => {
  process.chdir(home)
  rmSync(root, { recursive: true, force: true })
})

let folders = 0
let dir: string
beforeEach(() => {
  dir = join(root, String(folders++))
  mkdirSync(dir)
  process.chdir(dir)
})

/** A package that brings a verb; importing it leaves a file behind. */
function install(name: string, verb: string, declaration: string, code = ''): void {
  const folder = join(dir, 'node_modules', name)
  mkdirSync(folder, { recursive: true })
  const provides = { verb: { [verb]: { description: `What ${verb} does.` } } }
  const json = { name, version: '1.0.0', type: 'module', exports: './index.js', ift: { provides } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(json))
  writeFileSync(
    join(folder, 'index.js'),
    `import { writeFileSync } from 'node:fs'
    writeFileSync(new URL('loaded', import.meta.url), '')
    ${code}
    export const plugin = {
      name: 'verb:${verb}', api: 1,
      apply({ hooks }) { hooks.verb.for('${verb}').tap('${verb}', () => (${declaration})) },
    }`,
  )
}
const isLoaded = (name: string) => existsSync(join(dir, 'node_modules', name, 'loaded'))

/** Says what it was called with. */
const shout = `{
  name: 'shout', description: 'What shout does.', example: 'npx ift shout hi',
  operands: { text: { description: 'what to shout', required: true }, to: { description: 'to whom', choices: ['all', 'me'] } },
  options: {
    times: { type: 'integer', min: 1, max: 3, default: 1, description: 'how often' },
    keepAll: { type: 'boolean', short: 'k', description: 'keep all' },
    temperature: { type: 'number', description: 'how hot' },
    output: { type: 'string', short: 'o', value: 'file', description: 'file to write' },
    log: { type: 'string', bare: true, description: 'log' },
    form: { type: 'choice', choices: ['plain', 'loud'], description: 'form' },
  },
  run({ terminal, options, operands, session, cwd }) {
    terminal.json({ options, operands, flags: session.flags, config: session.configFile, cwd })
    return Promise.resolve(3)
  },
}`

/** Runs a command line; what it wrote and its exit code. */
async function ift(...argv: string[]) {
  const written = { out: '', err: '' }
  const stream = (to: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _, done) {
        written[to] += chunk.toString()
        done()
      },
    }) as unknown as NodeJS.WriteStream
  const code = await main(argv, new Terminal(stream('out'), stream('err'), { NO_COLOR: '1' }))
  return { code, ...written }
}
const called = async (...argv: string[]) => {
  const { code, out, err } = await ift('shout', ...argv)
  expect(code, err).toBe(3)
  return JSON.parse(out) as Record<string, unknown>
}

describe('a verb of a package', () => {
  beforeEach(() => {
    install('ift-plugin-shout', 'shout', shout)
  })

  test('is listed without being loaded, loaded when it is called, and gives the exit code', async () => {
    // Packages of this project bring verbs too.
    expect((await ift('--help')).out).toMatch(
      /Verbs of installed packages:\n(?: {2}.*\n)*? {2}shout +What shout does\.\n/,
    )
    expect((await ift('data', 'stats', 'none.jsonl')).code).toBe(1)
    expect(isLoaded('ift-plugin-shout')).toBe(false)
    expect(await called('hi')).toMatchObject({
      operands: { text: 'hi' },
      options: { times: 1, keepAll: false },
      flags: {},
      cwd: process.cwd(),
    })
    expect(isLoaded('ift-plugin-shout')).toBe(true)
  })

  test('gets values of the declared types; its own flags are not those of the config', async () => {
    const line = [
      'hi',
      'me',
      '--times',
      '2',
      '-k',
      '--temperature',
      '.5',
      '--output',
      'x',
      '--log',
      '--form',
      'loud',
    ]
    expect(await called(...line, '--weights', './m', '--train.epochs', '2', '--config', 'c.json')).toEqual({
      options: { times: 2, keepAll: true, temperature: 0.5, output: 'x', log: true, form: 'loud' },
      operands: { text: 'hi', to: 'me' },
      flags: { weights: ['./m'], 'train.epochs': ['2'] },
      config: 'c.json',
      cwd: process.cwd(),
    })
    expect(await called('hi', '--log', 'here', '--keep-all')).toMatchObject({
      options: { log: 'here', keepAll: true },
    })
  })

  test.each([
    [['--times', '4'], '--times is "4", expected a whole number from 1 to 3.', '--times 1'],
    [['--times', '1.5'], '--times is "1.5", expected a whole number from 1 to 3.', '--times 1'],
    [['--times', ''], '--times is "", expected a whole number from 1 to 3.', '--times 1'],
    [['--times', '0x2g'], '--times is "0x2g", expected a whole number from 1 to 3.', '--times 1'],
    [['--temperature', 'Infinity'], '--temperature is "Infinity", expected a number.', '--temperature 1'],
    [['--form', 'lout'], '--form is "lout", expected one of plain, loud.', 'Did you mean loud?'],
    [['nobody'], 'to is "nobody", expected one of all, me.', 'Write one of them: all, me'],
  ])('%s is refused by its name', async (words, message, hint) => {
    const { code, err } = await ift('shout', 'hi', ...words)
    expect(code).toBe(2)
    expect(err).toContain(`error ${message}\n\n${hint}\nIFT_USAGE`)
  })

  test.each([
    ['shout', '--help'],
    ['help', 'shout'],
  ])('%s %s shows what it declares', async (...words) => {
    const { out, code } = await ift(...words)
    expect(code).toBe(0)
    expect(out).toMatch(/--times <n> +how often \(default: 1\)\n/)
    expect(out).toMatch(/-k, --keep-all +keep all\n/)
    expect(out).toMatch(/--form <name> +form: plain, loud\n/)
    expect(out).toContain('Example:\n  npx ift shout hi\n')
  })

  test('that is misspelt, or that nobody has', async () => {
    const { code, err } = await ift('shuot')
    expect(code).toBe(2)
    expect(err).toContain('There is no verb "shuot".\n\nDid you mean "shout"?\nInstalled verbs: ')
    expect(err).toMatch(/Installed verbs: (.*, )?chat, .*shout \(ift-plugin-shout\)/)
    expect((await ift('trian')).err).toContain('Did you mean "train"?')
    expect(isLoaded('ift-plugin-shout')).toBe(false)
  })

  test('is found from the folder of the config that is named', async () => {
    writeFileSync(join(dir, 'ift.config.json'), '{}')
    const project = dir
    const elsewhere = join(root, 'elsewhere')
    mkdirSync(elsewhere, { recursive: true })
    process.chdir(elsewhere)
    expect((await ift('shout', 'hi')).code).toBe(2)
    expect((await ift('-c', join(project, 'ift.config.json'), 'shout', 'hi')).code).toBe(3)
    expect((await ift('shout', 'hi', `--config=${project}`)).code).toBe(3)
  })
})

describe('a package whose verb is broken', () => {
  test('that throws when it is loaded: the others are there, and whoever calls it hears why', async () => {
    install('ift-plugin-shout', 'shout', shout)
    install('ift-plugin-broken', 'break', '{}', 'throw new TypeError("boom")')
    expect((await ift('--help')).out).toContain('What break does.')
    await called('hi')
    const { code, err } = await ift('break')
    expect(code).toBe(1)
    expect(err).toMatch(/Plugin "break" could not be loaded from .*ift-plugin-broken.*: boom/)
  })

  test('that is declared wrongly, or throws what no error of ours is', async () => {
    install('ift-plugin-a', 'a', `{ name: 'a', description: '', example: '' }`)
    install(
      'ift-plugin-b',
      'b',
      `{ name: 'b', description: '', example: '', options: { n: { type: 'int', description: '' } }, run() {} }`,
    )
    install('ift-plugin-c', 'c', `{ name: 'c', description: '', example: '', run() { return null.x } }`)
    expect((await ift('a')).err).toMatch(/The verb "a" has no function run\.[^]*IFT_PLUGIN_INVALID/)
    expect((await ift('b')).err).toContain('The verb "b" declares option "n" of type "int".')
    const { code, err } = await ift('c')
    expect(code).toBe(1)
    expect(err).toContain('a fault of the verb "c"')
  })

  test('does not take the place of a verb of ours', async () => {
    install(
      'ift-plugin-plan',
      'plan',
      `{ name: 'plan', description: 'Mine.', example: '', run: async () => 9 }`,
    )
    expect((await ift('--help')).out).not.toContain('What plan does.')
    expect((await ift('plan', '--weights', './nowhere')).code).toBe(1)
    expect(isLoaded('ift-plugin-plan')).toBe(false)
  })
})

test('a verb without its operand or its required option', async () => {
  expect(await ift('predict', '--input', 'x')).toMatchObject({
    code: 2,
    err: expect.stringContaining("required option '-o, --output <file>' not specified") as string,
  })
  expect(await ift('merge')).toMatchObject({ code: 2, err: expect.stringContaining("'dir'") as string })
  expect((await ift('inspect', '--count', '0')).err).toContain(
    '--count is "0", expected a whole number from 1.',
  )
})
