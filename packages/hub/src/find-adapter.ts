import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { IftError, localPath, RunFolder, type Ift } from '@ift/core'

/** An adapter's folder, with the run that it came from where that is around it. */
export interface FoundAdapter {
  readonly dir: string
  readonly run: RunFolder | null
}

const holdsAdapter = (dir: string) => existsSync(join(dir, 'adapter_config.json'))

/**
 * The adapter of a folder that a command names, which is an adapter's or a run's; without one that of the config, else the one that was
 * trained last on its data. IFT_ADAPTER_NOT_FOUND says what is there instead.
 */
export async function findAdapter(ift: Ift, cwd: string, named?: string): Promise<FoundAdapter> {
  const { adapter } = ift.config
  const place =
    named !== undefined
      ? localPath(cwd, named)
      : typeof adapter === 'string'
        ? localPath(ift.rootDir, adapter)
        : await ift.newestAdapter()
  if (place === null)
    throw new IftError(
      'IFT_USAGE',
      'No adapter is named, and the config has none: neither adapter: nor a run on its data.',
      'Name the folder of a run or of an adapter: npx ift card ./run',
    )
  const run = new RunFolder(place)
  if (holdsAdapter(run.adapter)) return { dir: run.adapter, run }
  if (holdsAdapter(place)) {
    const around = new RunFolder(dirname(place))
    return { dir: place, run: basename(place) === 'adapter' && existsSync(around.manifest) ? around : null }
  }
  throw new IftError(
    'IFT_ADAPTER_NOT_FOUND',
    `${place} is neither the folder of an adapter nor of a run with one: there is no adapter_config.json in it, nor in its folder adapter.`,
    existsSync(run.model)
      ? 'The run trained a whole model. Cards are written for adapters; see what there is: npx ift export --help'
      : existsSync(run.checkpoints)
        ? 'The run has not written its adapter yet. Go on with it: npx ift train --resume'
        : 'Name the folder of a run or of an adapter: npx ift card ./run',
  )
}
