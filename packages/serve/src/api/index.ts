import { setMaxListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Ift } from '@ift/core'
import { version } from '@ift/core'
import type { ServeApp } from '../routes/route.js'
import { DataViews } from './data-views.js'
import { Planner } from './plan.js'
import { adapterRoutes } from './routes/adapters.js'
import { dataRoutes } from './routes/data.js'
import { machineRoutes } from './routes/machine.js'
import { newRunRoutes } from './routes/new-run.js'
import type { PageParts } from './routes/parts.js'
import { runRoutes } from './routes/runs.js'
import { RunFollower } from './run-events.js'
import { RunFolders } from './run-folders.js'
import { RunProcesses, type Program } from './run-processes.js'
import { RunReader } from './run-reader.js'
import { servedAdapters } from './served-adapters.js'

export type { Program } from './run-processes.js'

/** What the page is shown of, and may do. */
export interface PageOptions {
  /** Files of the page; null where there are none, and then / says how to install them. */
  readonly folder: string | null
  /** Folders of runs besides `ift-runs` and `runs` of the working folder. */
  readonly runs?: readonly string[]
  /** How a run is started; null where none can be. */
  readonly program: Program | null
  /** What paths below /api are answered for: 128 bits; made anew when absent. */
  readonly token?: string
}

/** Folders of runs: those that are named, or else those of the working folder. New runs are made in the first. */
function rootsOf(rootDir: string, named: readonly string[]): readonly string[] {
  const own = ['ift-runs', 'runs'].map((name) => join(rootDir, name))
  const there = own.filter((dir) => existsSync(dir))
  return [...named, ...there, own[0]!]
}

/** The page's own paths. */
export interface PageApi {
  /** Streams of events that are open. */
  readonly watching: number
  close(): Promise<void>
}

/** Adds the page's own paths to a server. */
export function pageApi(
  app: ServeApp,
  ift: Ift,
  { runs = [], program }: PageOptions,
  given: Pick<PageParts, 'model' | 'log' | 'instance'>,
): PageApi {
  const folders = new RunFolders(ift.rootDir, rootsOf(ift.rootDir, runs))
  const processes = new RunProcesses(program)
  const reader = new RunReader(
    folders,
    processes,
    servedAdapters(ift, () => given.model()?.serving ?? null),
  )
  const follower = new RunFollower(reader, { instance: given.instance, version })
  const data = new DataViews(ift, folders)
  const closing = new AbortController()
  // One for each page that watches.
  setMaxListeners(0, closing.signal)
  const planner = new Planner(processes)
  const parts: PageParts = {
    ...{ ift, folders, processes, reader, follower, data },
    planner,
    closing: closing.signal,
    ...given,
  }
  for (const add of [machineRoutes, adapterRoutes, runRoutes, dataRoutes, newRunRoutes]) add(app, parts)
  return {
    get watching() {
      return follower.open
    },
    async close() {
      closing.abort()
      planner.close()
      await data.close()
    },
  }
}
