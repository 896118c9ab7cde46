import { existsSync, statSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, normalize, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/tensor'
import type { Example } from '../contract/data.js'
import type { DatasetDefinition } from '../contract/dataset.js'
import { jsonObject, readJsonSync } from '../files/read-json.js'
import { DataRandom } from '../data/random.js'
import { readRecords } from '../data/read/index.js'
import { checkCard } from '../plugin/card.js'
import type { IftPlugin } from '../plugin/define.js'
import { claim } from './claim.js'
import {
  claimRenders,
  claimTexts,
  datasetConformance,
  datasetsOf,
  fixtureFiles,
  folderContext,
  type ConformanceCase,
} from './dataset.js'
import { manifestConformance } from './manifest.js'
import { randomJson } from './random-json.js'

/** What a pass over files gave. */
interface Pass {
  readonly examples: readonly Example[]
  /** Records without an example, by reason. */
  readonly dropped: Readonly<Record<string, number>>
}

async function pass(dataset: DatasetDefinition, folder: string): Promise<Pass> {
  const examples: Example[] = []
  const dropped: Record<string, number> = {}
  const context = folderContext(folder, 1, {
    dropped: (reason) => (dropped[reason] = (dropped[reason] ?? 0) + 1),
  })
  for await (const example of dataset.load(context)) examples.push(example)
  return { examples, dropped }
}

/** Records that the raw files of a dataset have at least: fewer show one shape of the many that published files have. */
const fewestRecords = 3

/** Of these errors no file is the reason: all that a dataset looks for are there. */
const faults = ['IFT_PLUGIN_FAILED', 'IFT_SOURCE_NOT_FOUND']

/** The pass, or null where it ends in an IftError about the file; a converter that throws and a file that is not found are faults. */
async function passOrRefusal(dataset: DatasetDefinition, folder: string, what: string): Promise<Pass | null> {
  try {
    return await pass(dataset, folder)
  } catch (cause) {
    const refused = cause instanceof IftError && !faults.includes(cause.code)
    claim(refused, `${what}: expected an IftError about the file, found ${String(cause)}.`)
    return null
  }
}

/** Fails where a dataset finds a file in a folder of which nothing is said. */
async function claimNothing(dataset: DatasetDefinition, folder: string, said: string): Promise<void> {
  const found = await pass(dataset, folder).catch((cause: unknown) => cause)
  claim(
    found instanceof IftError && found.code === 'IFT_SOURCE_NOT_FOUND',
    `${folder} has a file of ${dataset.name}: expected ${said}, which says what it gives.`,
  )
}

/** Names of the files of a folder that a dataset reads. */
async function filesOf(dataset: DatasetDefinition, folder: string): Promise<readonly string[]> {
  const asked = new Set<string>()
  const context = folderContext(folder, 1, { asked: (name) => asked.add(normalize(name)) })
  for await (const _ of dataset.load(context)) continue
  const places = await Promise.all([...asked].map((name) => fixtureFiles(folder, name)))
  return [...new Set(places.flat())]
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => relative(folder, path))
}

/** Runs with a copy of a folder, for each of its files that a dataset reads: the one that `run` may change. */
async function eachFile(
  dataset: DatasetDefinition,
  folder: string,
  run: (file: {
    readonly name: string
    readonly path: string
    readonly folder: string
    /** How many there are. */
    readonly files: number
  }) => Promise<void>,
): Promise<void> {
  const names = await filesOf(dataset, folder)
  for (const name of names)
    await inFolder(async (copy) => {
      await cp(join(folder, name), join(copy, name))
      // Alone where the others may be absent: they need not be read again for every change.
      if (!(await isEnough(dataset, copy))) await cp(folder, copy, { recursive: true })
      await run({ name, path: join(copy, name), folder: copy, files: names.length })
    })
}

/** Whether a folder has all files without which a dataset gives nothing. */
async function isEnough(dataset: DatasetDefinition, folder: string): Promise<boolean> {
  try {
    await pass(dataset, folder)
    return true
  } catch {
    return false
  }
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ift-collection-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Damaged files that a dataset is tried on: enough for every field of some records in a dozen ways. */
const mostDamaged = 200

/** At most so many of a list, spread over all of it. */
const spread = <T>(list: readonly T[], most: number): readonly T[] =>
  list.length <= most
    ? list
    : Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!)

/** Contents of a file with one record, one of whose fields is left out or replaced by a value of any kind. */
async function damagedFiles(path: string): Promise<readonly Buffer[]> {
  const kind = extname(path).toLowerCase()
  if (kind === '.csv' || kind === '.tsv') return damagedTables(await readFile(path, 'latin1'), kind)
  if (!/^\.(json|jsonl|ndjson)$/.test(kind)) return []
  const records = await recordsIn(path)
  const random = new DataRandom('damaged records', records.length)
  return records.flatMap((record) => {
    const list = record[listField]
    if (Array.isArray(list)) return damagedLists(list as unknown[], random)
    return Object.keys(record).flatMap((field) => {
      const { [field]: _, ...rest } = record
      const values = Array.from({ length: 12 }, () => randomJson(random, Object.keys(record)))
      return [rest, ...values.map((value) => ({ ...record, [field]: value }))].map((damaged) =>
        Buffer.from(`${JSON.stringify(damaged)}\n`),
      )
    })
  })
}

/** Field of a record that is a list in its file. */
const listField = 'list in the place of a record'

/** Records of a file of JSON, be it strict or not. */
async function recordsIn(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const read = async (tolerant: boolean) => {
    const records = []
    // A list of texts that stands beside the records has none.
    const options = { lists: listField, tolerant, ...(tolerant && { onProblem: () => undefined }) }
    for await (const { record } of readRecords(path, options)) records.push(record)
    return records
  }
  return read(false).catch(() => read(true))
}

/** Files with a list in the place of a record, of which one value is left out or replaced by any other. */
const damagedLists = (list: readonly unknown[], random: DataRandom): readonly Buffer[] =>
  list.flatMap((_, at) => {
    const others = Array.from({ length: 12 }, () => list.with(at, randomJson(random, ['data'])))
    return [list.toSpliced(at, 1), ...others].map((damaged) => Buffer.from(`${JSON.stringify([damaged])}\n`))
  })

/** The same of a table, behind its first line, which may be a header. `text` has a character for each byte, whatever the encoding. */
function damagedTables(text: string, kind: '.csv' | '.tsv'): readonly Buffer[] {
  const rows = kind === '.csv' ? csvRows(text) : text.split(/\r?\n/).map((line) => line.split('\t'))
  const [first, ...records] = rows.filter((cells) => cells.some((cell) => cell !== ''))
  if (first === undefined) return []
  const random = new DataRandom('damaged tables', rows.length)
  const cell = () => {
    const value = randomJson(random, first, 1)
    const written = typeof value === 'string' ? value : JSON.stringify(value)
    const bytes = Buffer.from(written).toString('latin1')
    return kind === '.csv' ? `"${bytes.replaceAll('"', '""')}"` : bytes.replaceAll(/[\t\r\n]/g, ' ')
  }
  const damaged = (cells: readonly string[]) =>
    cells.flatMap((_, at) => [
      cells.toSpliced(at, 1),
      ...Array.from({ length: 12 }, () => cells.with(at, cell())),
    ])
  const written = (...lines: readonly (readonly string[])[]) =>
    Buffer.from(lines.map((cells) => `${cells.join(kind === '.csv' ? ',' : '\t')}\n`).join(''), 'latin1')
  return [
    ...damaged(first).map((cells) => written(cells, ...records.slice(0, 1))),
    ...records.flatMap((record) => damaged(record).map((cells) => written(first, cells))),
  ]
}

/** Cells of a CSV as they are written, quotes included. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, cell = '', end] of text.matchAll(/((?:"(?:[^"]|"")*"|[^",\r\n])*)(,|\r?\n|$)/g)) {
    rows.at(-1)!.push(cell)
    if (end !== ',') rows.push([])
  }
  return rows
}

/**
 * Requirements of a package of datasets, as cases to run. `folder` is that of the package: card.json, package.json, and `fixtures/`
 * with three records or more of each dataset: `raw/` holds files as they are published, `converted/` those of the original platform's
 * collection; a file of invented records is called `tea.invented.json` in place of `tea.json`. For each dataset
 * NAME, `NAME.raw.json` and `NAME.converted.json` say what they give with the seed 1: `{ "examples": […], "dropped": { reason: count } }`,
 * written by hand. Records of JSON, JSON Lines, CSV and TSV are damaged, each file of a dataset in turn beside the others as they are.
 */
export function collectionConformance(plugin: IftPlugin, folder: URL): ConformanceCase[] {
  const root = fileURLToPath(folder)
  const fixtures = join(root, 'fixtures')
  const raw = join(fixtures, 'raw')
  const definitions = datasetsOf(plugin)
  const cases: ConformanceCase[] = [
    ...manifestConformance(plugin, root),
    {
      name: 'card.json and the plugin name the same datasets',
      run: () => {
        const path = join(root, 'card.json')
        const { datasets } = checkCard(readJsonSync(path, jsonObject), path)
        const [said, registered] = [Object.keys(datasets).sort(), definitions.map(({ name }) => name).sort()]
        claim(
          isDeepStrictEqual(said, registered),
          `card.json: ${said.join(', ')}; plugin: ${registered.join(', ')}.`,
        )
        return Promise.resolve()
      },
    },
  ]
  for (const dataset of definitions) {
    const named = (name: string, run: () => Promise<void>) =>
      cases.push({ name: `${dataset.name}: ${name}`, run })
    cases.push(...datasetConformance(dataset, { folder: raw }))
    for (const kind of ['raw', 'converted'] as const) {
      const place = join(fixtures, kind)
      if (!existsSync(place)) continue
      named(
        `what the ${kind} files give is what fixtures say, and every other record has its reason`,
        async () => {
          const said = join(fixtures, `${dataset.name}.${kind}.json`)
          // A dataset of several may have no converted file.
          if (kind === 'converted' && !existsSync(said)) return claimNothing(dataset, place, said)
          const expected = readJsonSync(said, jsonObject)
          const { examples, dropped } = await pass(dataset, place)
          const found = JSON.parse(JSON.stringify({ examples, dropped })) as Record<string, unknown>
          claim(
            isDeepStrictEqual(found, { examples: expected['examples'], dropped: expected['dropped'] ?? {} }),
            `expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}.`,
          )
        },
      )
    }
    named(`the raw files have ${fewestRecords} records or more`, async () => {
      const { examples, dropped } = await pass(dataset, raw)
      const records = Object.values(dropped).reduce((sum, count) => sum + count, examples.length)
      claim(records >= fewestRecords, `expected ${fewestRecords} records, found ${records}.`)
    })
    named('records with fields of other kinds give an example, or a reason', () =>
      eachFile(dataset, raw, async ({ path, name, folder, files }) => {
        for (const contents of spread(await damagedFiles(path), Math.ceil(mostDamaged / files))) {
          await writeFile(path, contents)
          const what = `${name} with ${contents.toString().trim()}`
          const made = await passOrRefusal(dataset, folder, what)
          for (const example of made?.examples ?? []) {
            claimTexts(example, what)
            claimRenders(example, what)
          }
        }
      }),
    )
    named('an empty file and a file that was cut give fewer examples, or an IftError', async () => {
      const whole = await pass(dataset, raw)
      await eachFile(dataset, raw, async ({ path, name, folder }) => {
        const bytes = await readFile(path)
        for (const length of [0, Math.floor(bytes.length / 2), bytes.length - 2]) {
          await writeFile(path, bytes.subarray(0, length))
          const made = await passOrRefusal(dataset, folder, `${name}, cut to ${length} bytes`)
          claim(
            !made || made.examples.length <= whole.examples.length,
            `${name}, cut to ${length} bytes, gives more examples than the whole file.`,
          )
        }
      })
    })
  }
  return cases
}
