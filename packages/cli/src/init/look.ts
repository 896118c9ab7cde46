import { existsSync, readdirSync, readFileSync, statSync, type Dirent } from 'node:fs'
import { join } from 'node:path'
import { isDataFile } from '@ift/core'

/** What lies in a folder that a config can name, as paths from there. */
export interface Found {
  /** Folders with config.json and weights, and GGUF files. */
  readonly models: readonly string[]
  /** Files of records. */
  readonly data: readonly string[]
}

/** Entries that are looked at in a folder: a home folder may have very many. */
const most = 1000

const hasWeights = (name: string) => /\.(safetensors|bin|pth?|gguf)$|\.index\.json$/.test(name)
const isRecords = (name: string) => isDataFile(name) && !settings.test(name)
const settings =
  /^(package|package-lock|tsconfig.*|config|.*_config|tokenizer|vocab|special_tokens_map|added_tokens|.*\.index|manifest|ift\.config)\.json$/i

function entriesOf(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
      .slice(0, most)
  } catch {
    return []
  }
}

const isModel = (dir: string) => {
  const names = entriesOf(dir).map(({ name }) => name)
  return names.includes('config.json') && names.some(hasWeights)
}

/** Whether a file begins as a list or lines of records do; other JSON is no data. */
function holdsRecords(path: string): boolean {
  if (!path.endsWith('.json')) return true
  try {
    if (statSync(path).size > 2 ** 20) return true
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as unknown
    return Array.isArray(parsed) && typeof parsed[0] === 'object'
  } catch {
    return false
  }
}

/** Looks into a folder, one folder deeper for models, and into its `data`. */
export function lookAround(cwd: string): Found {
  const models: string[] = []
  const data: string[] = []
  for (const entry of entriesOf(cwd)) {
    const { name } = entry
    if (entry.isFile() && name.endsWith('.gguf')) models.push(`./${name}`)
    else if (entry.isFile() && isRecords(name) && holdsRecords(join(cwd, name))) data.push(`./${name}`)
    else if (entry.isDirectory() && name !== 'ift-runs') {
      if (isModel(join(cwd, name))) models.push(`./${name}`)
      for (const inner of entriesOf(join(cwd, name)))
        if (inner.isDirectory() && isModel(join(cwd, name, inner.name)))
          models.push(`./${name}/${inner.name}`)
    }
  }
  if (existsSync(join(cwd, 'data')))
    for (const entry of entriesOf(join(cwd, 'data')))
      if (entry.isFile() && isRecords(entry.name) && holdsRecords(join(cwd, 'data', entry.name)))
        data.push(`./data/${entry.name}`)
  return { models, data }
}
