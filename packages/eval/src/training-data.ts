import { join } from 'node:path'
import { IftError, jsonObject, localPath, readJson, resolveConfig, type DataEntry, type Ift } from '@ift/core'

/** Training data in which the questions of a test are looked for. */
export interface TrainingData {
  readonly entries: readonly DataEntry[]
  /** The manifest that names them; null where the config or the command line does. */
  readonly manifest: string | null
}

/** What a model was trained on: as it is named, of the config, or of the run that its adapter lies in. Null where nobody says. */
export async function trainingData(
  { rootDir, config }: Pick<Ift, 'rootDir' | 'config'>,
  named: string | undefined,
  cwd: string,
): Promise<TrainingData | null> {
  if (named !== undefined)
    return { entries: named.split(',').map((place) => localPath(cwd, place)), manifest: null }
  const own = [config.data].flat()
  if (own.length > 0) return { entries: own, manifest: null }
  if (typeof config.adapter !== 'string') return null
  const manifest = join(localPath(rootDir, config.adapter), '..', 'manifest.json')
  try {
    const recorded = (await readJson(manifest, jsonObject))['config'] as { data?: unknown } | undefined
    const { data } = resolveConfig({ data: recorded?.data }, manifest)
    const entries = [data].flat()
    return entries.length > 0 ? { entries, manifest } : null
  } catch (error) {
    // An adapter of somebody else lies in no run of ours.
    if (error instanceof IftError) return null
    throw error
  }
}
