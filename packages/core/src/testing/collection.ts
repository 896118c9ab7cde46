import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
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

/** The pass, or null where it ends in an IftError about the file; a converter that throws is a fault. */
async function passOrRefusal(dataset: DatasetDefinition, folder: string, what: string): Promise<Pass | null> {
  try {
    return await pass(dataset, folder)
  } catch (cause) {
    const refused = cause instanceof IftError && cause.code !== 'IFT_PLUGIN_FAILED'
    claim(refused, `${what}: expected an IftError about the file, found ${String(cause)}.`)
    return null
  }
}

/** Names of all files that a dataset looks for. */
async function filesOf(dataset: DatasetDefinition): Promise<readonly string[]> {
  const asked = new Set<string>()
  const nowhere = join(tmpdir(), 'ift-no-such-folder')
  const context = folderContext(nowhere, 1, { asked: (name) => asked.add(name) })
  try {
    for await (const _ of dataset.load(context)) break
  } catch (cause) {
    if (!(cause instanceof IftError)) throw cause
  }
  return [...asked]
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ift-collection-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Records with one field after the other left out and replaced by values of every kind. */
function damaged(records: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown>[] {
  const random = new DataRandom('damaged records', records.length)
  return records.flatMap((record) =>
    Object.keys(record).flatMap((field) => {
      const { [field]: _, ...rest } = record
      const values = Array.from({ length: 12 }, () => randomJson(random, Object.keys(record)))
      return [rest, ...values.map((value) => ({ ...record, [field]: value }))]
    }),
  )
}

/**
 * Requirements of a package of datasets, as cases to run. `folder` is that of the package: card.json, package.json, and `fixtures/`
 * with a few real records: `raw/` holds files as they are published, `converted/` those of the original platform's collection. For each dataset
 * NAME, `NAME.raw.json` and `NAME.converted.json` say what they give with the seed 1: `{ "examples": […], "dropped": { reason: count } }`,
 * written by hand.
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
          const expected = readJsonSync(join(fixtures, `${dataset.name}.${kind}.json`), jsonObject)
          const { examples, dropped } = await pass(dataset, place)
          const found = JSON.parse(JSON.stringify({ examples, dropped })) as Record<string, unknown>
          claim(
            isDeepStrictEqual(found, { examples: expected['examples'], dropped: expected['dropped'] ?? {} }),
            `expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}.`,
          )
        },
      )
    }
    named('records with fields of other kinds give an example, or a reason', () =>
      inFolder(async (folder) => {
        for (const name of await filesOf(dataset)) {
          const source = join(raw, name)
          if (!/^\.(json|jsonl)$/.test(extname(name)) || !existsSync(source)) continue
          const records: Readonly<Record<string, unknown>>[] = []
          for await (const { record } of readRecords(source)) records.push(record)
          for (const [i, record] of damaged(records).entries()) {
            const text = `${JSON.stringify(record)}\n`
            await writeFile(join(folder, basename(name)), text)
            const made = await passOrRefusal(dataset, folder, text)
            for (const example of made?.examples ?? []) {
              claimTexts(example, `damaged record ${i + 1}`)
              claimRenders(example, `damaged record ${i + 1}`)
            }
          }
        }
      }),
    )
    named('an empty file and a file that was cut give fewer examples, or an IftError', () =>
      inFolder(async (folder) => {
        const whole = await pass(dataset, raw)
        for (const name of await filesOf(dataset)) {
          const source = join(raw, name)
          if (!existsSync(source)) continue
          const bytes = await readFile(source)
          for (const length of [0, Math.floor(bytes.length / 2), bytes.length - 2]) {
            await writeFile(join(folder, basename(name)), bytes.subarray(0, length))
            const made = await passOrRefusal(dataset, folder, `${name}, cut to ${length} bytes`)
            claim(
              !made || made.examples.length <= whole.examples.length,
              `${name}, cut to ${length} bytes, gives more examples than the whole file.`,
            )
          }
          await rm(join(folder, basename(name)))
        }
      }),
    )
  }
  return cases
}
