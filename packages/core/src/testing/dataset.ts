import { basename, dirname, join } from 'node:path'
import { access } from 'node:fs/promises'
import { IftError } from '@ift/tensor'
import { isInstruction, isMessages, isText, type Example } from '../contract/data.js'
import type { DatasetContext, DatasetDefinition } from '../contract/dataset.js'
import { dataFiles, fileOf } from '../data/read/index.js'
import { alpaca, chatml } from '../data/template/index.js'
import { isPattern } from '../files/pattern.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { claim } from './claim.js'

/** One check of a conformance kit; any test runner can run it. */
export interface ConformanceCase {
  readonly name: string
  readonly run: () => Promise<void>
}

export interface DatasetConformanceOptions {
  /** Folder with files of the dataset, a few records are enough. */
  readonly folder: string
  /** Examples to look at; all when absent. */
  readonly limit?: number
}

/** The definitions that a plugin registers. */
export function datasetsOf(plugin: IftPlugin): DatasetDefinition[] {
  const session = new PluginSession(process.cwd()).use(plugin)
  return session.hooks.dataset.names().map((name) => session.hooks.dataset.find(name)!)
}

/**
 * Paths of a file of fixtures, or of those that a pattern matches; none where it is absent. `tea.invented.json` stands for `tea.json` where
 * this is absent: records that nobody published, in the published form.
 */
export async function fixtureFiles(folder: string, name: string): Promise<readonly string[]> {
  const place = await fixturePlace(folder, name).catch(() => null)
  if (place === null) return []
  return isPattern(name) ? (await dataFiles(place)).map((path) => fileOf(path).file) : [place]
}

const inventedName = (name: string): string => name.replace(/(\.[a-z]+(\.(gz|zst))?)?$/i, '.invented$1')

async function fixturePlace(folder: string, name: string): Promise<string> {
  const paths = [name, join(dirname(name), inventedName(basename(name)))].map((one) => join(folder, one))
  let missing: unknown
  for (const path of paths)
    try {
      await (isPattern(name) ? dataFiles(path) : access(path))
      return path
    } catch (cause) {
      missing ??= cause
    }
  throw new IftError('IFT_SOURCE_NOT_FOUND', `${paths[0]!}: no such file.`, undefined, { cause: missing })
}

/** What a dataset gets of a session: the files of a folder. `asked` is told of every name, `dropped` of records without an example. */
export function folderContext(
  folder: string,
  seed: number,
  {
    asked,
    dropped,
  }: { readonly asked?: (name: string) => void; readonly dropped?: DatasetContext['dropped'] } = {},
): DatasetContext {
  return {
    rootDir: folder,
    seed,
    file(name) {
      asked?.(name)
      return fixturePlace(folder, name)
    },
    ...(dropped && { dropped }),
  }
}

/** Fails for an example without a question, an answer or a text. */
export function claimTexts(example: Example, at: string): void {
  if (isInstruction(example)) {
    for (const field of ['instruction', 'input', 'output'] as const)
      claim(typeof example[field] === 'string', `${at}: ${field} is not a text.`)
    claim(example.instruction.trim() !== '' || example.input.trim() !== '', `${at}: nothing is asked.`)
    claim(example.output.trim() !== '', `${at}: nothing is answered.`)
  } else if (isMessages(example)) {
    claim(
      example.messages.every(({ content }) => typeof content === 'string'),
      `${at}: a message is not a text.`,
    )
    claim(
      example.messages.some(({ role }) => role === 'assistant'),
      `${at}: no assistant message.`,
    )
  } else if (isText(example)) claim(example.text !== '', `${at}: the text is empty.`)
  else claim(example.ids.length > 0, `${at}: no ids.`)
}

/** Fails for an example that a template cannot write, or of which nothing would be learned. */
export function claimRenders(example: Example, at: string): void {
  if (!isInstruction(example) && !isMessages(example)) return
  for (const template of [alpaca, chatml]) {
    const learned = template
      .render(example, 'assistant')
      .some(({ trained, text }) => trained && text.trim() !== '')
    claim(learned, `${at}: the template ${template.name} writes no answer that is learned.`)
  }
}

/**
 * Requirements of every dataset, as cases to run: `for (const { name, run } of datasetConformance(…)) test(name,
 * run)`.
 */
export function datasetConformance(
  dataset: DatasetDefinition,
  { folder, limit = Infinity }: DatasetConformanceOptions,
): ConformanceCase[] {
  const asked = new Set<string>()
  const context = (seed: number) => folderContext(folder, seed, { asked: (name) => asked.add(name) })
  const take = async (seed: number, count: number): Promise<Example[]> => {
    const examples: Example[] = []
    if (count > 0)
      for await (const example of dataset.load(context(seed))) if (examples.push(example) >= count) break
    return examples
  }
  const same = (a: readonly Example[], b: readonly Example[]) => JSON.stringify(a) === JSON.stringify(b)
  const named = (name: string, run: () => Promise<void>): ConformanceCase => ({
    name: `${dataset.name}: ${name}`,
    run,
  })

  return [
    named('name, licence, source, description and tags are filled in', () => {
      for (const field of ['name', 'license', 'source', 'description'] as const)
        claim(typeof dataset[field] === 'string' && dataset[field].trim() !== '', `${field} is empty.`)
      const allowed = {
        lang: ['EN', 'CN', 'ML'],
        task: ['MT', 'TS'],
        gen: ['HG', 'SI', 'MIX', 'COL'],
      } as const
      for (const [tag, values] of Object.entries(allowed)) {
        const given: readonly string[] = dataset.tags[tag as keyof typeof allowed]
        claim(given.length > 0, `tags.${tag} is empty.`)
        for (const value of given)
          claim(
            (values as readonly string[]).includes(value),
            `tags.${tag}: "${value}" is none of ${values.join(', ')}.`,
          )
      }
      const { size } = dataset
      if (size) {
        claim(Number.isInteger(size.count) && size.count > 0, `size.count is ${size.count}.`)
        claim(size.unit.trim() !== '', 'size.unit is empty: say what is counted.')
      }
      return Promise.resolve()
    }),
    named('there are examples, each with its texts', async () => {
      const examples = await take(1, limit)
      claim(examples.length > 0, 'no example.')
      for (const [i, example] of examples.entries()) claimTexts(example, `example ${i + 1}`)
    }),
    named('every example can be written by the templates alpaca and chatml', async () => {
      for (const [i, example] of (await take(1, limit)).entries()) claimRenders(example, `example ${i + 1}`)
    }),
    named('the same seed gives the same examples in the same order', async () => {
      const [first, second] = [await take(7, limit), await take(7, limit)]
      claim(same(first, second), 'two passes with the seed 7 differ.')
    }),
    named('two passes at once do not disturb each other', async () => {
      const [alone, ...both] = [
        await take(3, limit),
        ...(await Promise.all([take(3, limit), take(3, limit)])),
      ]
      claim(
        both.every((examples) => same(alone, examples)),
        'passes that run at the same time differ.',
      )
    }),
    named('a pass can stop anywhere and be resumed by skipping', async () => {
      const whole = await take(5, limit)
      for (const count of [1, Math.floor(whole.length / 2), whole.length])
        claim(
          same(await take(5, count), whole.slice(0, count)),
          `a pass that stops after ${count} examples differs.`,
        )
    }),
    named('files are asked for by relative names', async () => {
      await take(1, 1)
      claim(asked.size > 0, 'no file was asked for with context.file.')
      for (const name of asked)
        claim(
          !name.startsWith('/') && !name.split(/[\\/]/).includes('..'),
          `"${name}" leaves the folder of the dataset.`,
        )
    }),
    named('a missing file is an IftError', async () => {
      const nowhere: DatasetContext = {
        rootDir: folder,
        seed: 1,
        file: (name) => Promise.reject(new IftError('IFT_SOURCE_NOT_FOUND', `${name}: no such file.`)),
      }
      let problem: unknown = null
      try {
        for await (const _ of dataset.load(nowhere)) break
      } catch (error) {
        problem = error
      }
      claim(
        problem instanceof IftError,
        `expected an IftError, found ${problem instanceof Error ? problem.message : 'none'}.`,
      )
    }),
  ]
}
