import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ResolvedConfig } from '../config/schema.js'
import { localPath } from '../files/paths.js'
import { RunFolder } from '../train/run-folder.js'
import { sourcesOf } from './record-source.js'

/** Entries of `data` in a form in which equal ones are equal. */
const entriesOf = (data: unknown): string => JSON.stringify(sourcesOf(data as ResolvedConfig['data']))

/** Folders that runs of a config may lie in: `output` up to its first placeholder. */
async function runFolders(rootDir: string, output: string): Promise<string[]> {
  const fixed = /^[^{]*/.exec(output)![0]
  if (fixed === output) return [localPath(rootDir, output)]
  const parent = localPath(rootDir, /[\\/]$/.test(fixed) ? fixed : dirname(fixed))
  if (!existsSync(parent)) return []
  const entries = await readdir(parent, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(parent, name))
}

/**
 * The adapter that was trained last on the data of a config, by its family where it names one; null where there is none, and for a
 * config without data.
 */
export async function newestAdapter(rootDir: string, config: ResolvedConfig): Promise<string | null> {
  const data = entriesOf(config.data)
  if (data === '[]') return null
  let newest: { readonly adapter: string; readonly time: number } | null = null
  for (const dir of await runFolders(rootDir, config.output)) {
    const run = new RunFolder(dir)
    if (!existsSync(run.adapter)) continue
    // A folder that holds something else is none of ours.
    const manifest = await run.readManifest().catch(() => null)
    if (manifest === null || entriesOf(manifest.config['data']) !== data) continue
    const { family = manifest.config['model'] } = manifest
    if (config.model !== 'auto' && config.model !== family) continue
    const time = (await stat(join(run.adapter, 'adapter_config.json')).catch(() => null))?.mtimeMs ?? 0
    if (newest === null || time > newest.time) newest = { adapter: run.adapter, time }
  }
  return newest?.adapter ?? null
}
