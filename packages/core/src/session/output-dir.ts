import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { expandHome } from '../files/paths.js'
import type { ResolvedConfig } from '../config/schema.js'

/** Names of data files that are written out; of more, the first one and how many others. */
const namedFiles = 3
/** Bytes that a placeholder takes; file systems take names of 255 bytes, and others are made from a run's. */
const longestName = 80

/** The name, or as much of it as fits and a hash of all of it. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  let start = ''
  for (const char of name) {
    if (Buffer.byteLength(start + char) > longestName - hash.length - 1) break
    start += char
  }
  return `${start}-${hash}`
}

/** What the data of a run is called. Runs on other files have another name. */
function dataName(names: readonly string[]): string {
  if (names.length <= namedFiles) return shortened(names.join('+'))
  const hash = createHash('sha256').update(names.join('\0')).digest('hex').slice(0, 8)
  return `${shortened(names[0]!)}+${names.length - 1}-more-${hash}`
}

const lastPart = (path: string) => path.split(/[\\/]/).filter(Boolean).at(-1) ?? ''

/** The output folder with its placeholders filled in. */
export function outputDir(config: ResolvedConfig, rootDir: string, family: string): string {
  const names = [config.data]
    .flat()
    .map((entry) => (typeof entry === 'string' ? entry : (entry.name ?? entry.path ?? 'data')))
    .map((name) => lastPart(name).replace(/\.[a-z]+(\.gz|\.zst)?$/i, ''))
  const values = new Map([
    ['model', shortened(lastPart(config.weights ?? '') || family)],
    ['data', dataName(names) || 'data'],
    ['method', shortened(lastPart(config.peft.method))],
  ])
  // Before the placeholders: one of them may begin with "~".
  return resolve(
    rootDir,
    expandHome(config.output).replaceAll(/\{(\w+)\}/g, (whole, key: string) => values.get(key) ?? whole),
  )
}
