import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runHolder, type Ift } from '@ift/core'
import { HttpError } from '../wire/errors.js'
import { folderBytes } from './folder-bytes.js'
import { faultsOf, withOwn } from './plan.js'
import { configFacts, documentOf, fields } from './run-documents.js'
import { isWithin, parentOf, type RunFolders, type RunPlace } from './run-folders.js'
import type { RunProcesses } from './run-processes.js'
import type { RunReader } from './run-reader.js'

type Fields = Readonly<Record<string, unknown>>

export interface RunParts {
  readonly ift: Ift
  readonly folders: RunFolders
  readonly processes: RunProcesses
  readonly reader: RunReader
}

/** A name for the folder of a run: of its base, its data and its method. */
function nameOf(config: Fields): string {
  const { base, data, method } = configFacts(config)
  const parts = [base ?? 'model', data[0] ?? 'data', method ?? 'lora']
  const name = parts
    .map((part) => part.replace(/\.(jsonl?|csv|tsv|parquet|gguf)$/i, '').replace(/[^\w.-]+/g, '-'))
    .join('-')
  return name.replace(/^[.-]+/, '').slice(0, 90) || 'run'
}

/** A new folder of a name, in the folder of runs. */
function makeFolder(folders: RunFolders, asked: string | undefined, config: Fields): string {
  if (asked !== undefined && (!/^[\w.-]{1,100}$/.test(asked) || asked.startsWith('.')))
    throw new HttpError(
      400,
      'invalid_value',
      'name: expected 1 to 100 letters, digits, or . _ -, none of them a dot at the beginning.',
      { param: 'name' },
    )
  mkdirSync(folders.home, { recursive: true })
  const base = asked ?? nameOf(config)
  for (let i = 1; i < 10_000; i++) {
    const dir = join(folders.home, i === 1 ? base : `${base}-${i}`)
    try {
      mkdirSync(dir)
      return dir
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (asked !== undefined) break
    }
  }
  throw new HttpError(409, 'run_exists', `There is a run ${JSON.stringify(base)} already.`, {
    param: 'name',
    hint: 'Choose another name.',
  })
}

/** Starts a run with a config; the id of it. */
export async function startRun(
  { ift, folders, processes }: RunParts,
  config: Fields,
  name: string | undefined,
): Promise<string> {
  processes.requireProgram()
  const faults = await faultsOf(ift, config)
  if (faults.length > 0) {
    const [first] = faults
    const lines = faults.map(({ path, message }) =>
      message.includes(path) ? message : `${path}: ${message}`,
    )
    throw new HttpError(400, 'invalid_value', lines.join('\n'), { param: `config.${first!.path}` })
  }
  const dir = makeFolder(folders, name, config)
  await writeFile(join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
  processes.start(dir, ift.rootDir, withOwn(ift, config), [])
  return folders.list().places.find((place) => place.dir === dir)!.id
}

/** Goes on with a run from its newest checkpoint. */
export async function resumeRun({ ift, processes, reader }: RunParts, place: RunPlace): Promise<void> {
  processes.requireProgram()
  const { canResume, process } = await reader.reply(place)
  if (process !== null || processes.isStarting(place.dir))
    throw new HttpError(409, 'run_is_training', 'The run is being trained.')
  if (!canResume)
    throw new HttpError(409, 'cannot_resume', 'The run has ended, or has no checkpoint to go on from.')
  const own = documentOf(join(place.dir, 'config.json'))
  const recorded = fields(documentOf(join(place.dir, 'manifest.json'))?.['config'])
  processes.start(place.dir, ift.rootDir, withOwn(ift, own ?? recorded), ['--resume'])
}

/** Removes the folder of a run; the bytes of it. */
export async function removeRun({ processes }: RunParts, place: RunPlace): Promise<number> {
  const { dir } = place
  const refuse = () => new HttpError(409, 'run_is_training', 'The run is being trained: stop it first.')
  if (runHolder(dir) !== null || processes.isStarting(dir)) throw refuse()
  const parent = parentOf(place)
  const info = lstatSync(dir)
  // Of a link the folder behind it is somebody else's.
  if (
    place.root === null ||
    !info.isDirectory() ||
    !isWithin(realpathSync(parent), realpathSync(dir)) ||
    realpathSync(dir) === realpathSync(parent)
  )
    throw new HttpError(403, 'outside', 'The run does not lie in the folder of runs: remove it by hand.', {
      type: 'permission_error',
    })
  const bytes = await folderBytes(dir)
  const aside = join(parent, `.${basename(dir).slice(0, 100)}.removed-${randomBytes(6).toString('hex')}`)
  renameSync(dir, aside)
  // One that took its lock in between goes on.
  if (runHolder(aside) !== null && !existsSync(dir)) {
    renameSync(aside, dir)
    throw refuse()
  }
  await rm(aside, { recursive: true, force: true })
  return bytes
}
