import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { optionRows, PluginSession } from '@ift/core'
import { pluginsOf } from '../../test/fixture/models.js'
import { faults, literals, type Known } from './hints.mjs'
import { fences } from './markdown.mjs'

// Every hint names what is there: verbs, flags, options, pages and packages in the messages of the sources, and in the pages that
// show commands. Verbs and flags are those that the built command line lists.

const root = fileURLToPath(new URL('../..', import.meta.url))
const help = (...words: string[]) =>
  execFileSync(process.execPath, [join(root, 'packages/cli/bin/ift.js'), ...words, '--help'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
const flagsIn = (text: string) =>
  [...text.matchAll(/(?<=^ +(?:-\w, )?)--([\w.-]+)/gm)].map(([, name]) => name!)

/** Files of the checkout under a folder, without what is installed or built. */
const filesIn = (folder: string, keep: RegExp): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return ['node_modules', 'dist', 'target', 'testing'].includes(entry.name) ? [] : filesIn(path, keep)
    return keep.test(path) ? [path] : []
  })

const program = help()
const common = [...flagsIn(program), 'help']
const names = [...program.slice(program.indexOf('Commands:')).matchAll(/^ {2}([a-z]+)\b/gm)].map(
  ([, name]) => name!,
)
const pages = [
  ...readdirSync(root).filter((file) => /^(README.*|CONTRIBUTING|ARCHITECTURE)\.md$/.test(file)),
  ...['docs', 'packages', 'examples', 'bench'].flatMap((folder) => filesIn(folder, /\.md$/)),
]
const session = new PluginSession(root)
for (const plugin of await pluginsOf(/^peft-/)) session.use(plugin)
const methodOptions = session.hooks.peft
  .names()
  .flatMap((name) =>
    Object.keys((session.hooks.peft.find(name)!.options as unknown as { shape: object }).shape),
  )

const known: Known = {
  verbs: new Map(
    names.map((name) => [name, new Set([...common, ...(name === 'help' ? [] : flagsIn(help(name)))])]),
  ),
  actions: new Set(/^ +action +what to do: ([\w,\s]+)\n +file /m.exec(help('data'))![1]!.match(/\w+/g)),
  options: new Set([
    ...optionRows().map(({ path }) => path),
    'peft.method',
    ...methodOptions.map((name) => `peft.${name}`),
  ]),
  packages: new Set(
    filesIn('packages', /package\.json$/).map(
      (file) => (JSON.parse(readFileSync(join(root, file), 'utf8')) as { name: string }).name,
    ),
  ),
  hasPage: (page) => existsSync(join(root, page)),
}

test('the checks find what is not there', () => {
  const wrong = {
    'Type: npx ift trane': 'there is no verb "trane"',
    'See npx ift data browse x.jsonl': 'there is no "data browse"',
    'Type npx ift data convert --to alpaca': 'data convert needs a file',
    'npx ift plan --resume': 'plan has no --resume',
    'Use --resumed.': 'there is no --resumed',
    'See docs/reference/config.md': 'there is no page docs/reference/config.md',
    'Lower train.learningrate.': 'there is no option train.learningrate',
    'Set train.samples.often.': 'there is no option train.samples.often',
    'npm install @ift/model-qwenn': 'there is no package @ift/model-qwenn',
    'Look with `ift plan`.': '"ift plan" is typed as "npx ift plan"',
  }
  for (const [text, fault] of Object.entries(wrong)) expect(faults(text, known)).toEqual([fault])
  for (const text of [
    'npx ift train --resume --train.epochs 2 --peft.r 4',
    'torchrun --no-python --nproc-per-node 4 npx ift train',
    'data/train.jsonl and train.parquet',
  ])
    expect(faults(text, known)).toEqual([])
})

test('hints in the sources', () => {
  const sources = filesIn('packages', /\/src\/.*\.ts$/).filter(
    // Flags of the original platform, of mpirun and of create-ift-plugin, and variables of a style sheet.
    (file) =>
      !/\.(test|fixture)\.ts$|seed|start-ranks|(?:report|ablate)\/style|chart\/svg|components\/chart|create-ift-plugin\/src/.test(
        file,
      ),
  )
  let looked = 0
  const found = sources.flatMap((file) =>
    literals(readFileSync(join(root, file), 'utf8')).flatMap(({ text, line }) => {
      looked++
      return faults(text, known).map((fault) => `${file}:${line}: ${fault}: ${text.slice(0, 100)}`)
    }),
  )
  expect(found).toEqual([])
  expect(looked).toBeGreaterThan(5000)
})

test('hints of the native code', () => {
  const sources = ['packages', 'crates'].flatMap((folder) => filesIn(folder, /\/src\/.*\.rs$/))
  const found = sources.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/"((?:[^"\\]|\\.)*)"/gs)].flatMap(([, text]) =>
      /npx ift|docs\//.test(text!)
        ? faults(text!, known).map((fault) => `${file}: ${fault}: ${text!.slice(0, 100)}`)
        : [],
    ),
  )
  expect(found).toEqual([])
})

test('commands in the pages', () => {
  let looked = 0
  const found = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8')
    // Verbs that the page shows how to write.
    const own = [...text.matchAll(/name: '([a-z]+)',\n\s+description/g)].map(([, name]) => `npx ift ${name!}`)
    const commands = [
      // Blocks that show what comes of a misspelled command say so.
      ...fences(text)
        .filter(({ note }) => note !== 'misspelled')
        .map((block) => block.text.replaceAll(/\\\n\s*/g, ' ')),
      ...[...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!),
    ]
      .flatMap((code) => code.split('\n').filter((line) => line.includes('npx ift ')))
      .filter((line) => !own.some((command) => line.includes(command)))
    looked += commands.length
    return commands.flatMap((command) =>
      faults(command.replace(/ #.*$/, ''), known).map((fault) => `${page}: ${fault}: ${command}`),
    )
  })
  expect(found).toEqual([])
  expect(looked).toBeGreaterThan(50)
})
