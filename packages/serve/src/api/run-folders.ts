import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { HttpError } from '../wire/errors.js'

/** Runs of a list at most. */
const mostRuns = 1000

/** What a folder of a run has one of: a run that began, or that this server started. */
const marks = ['manifest.json', 'run.lock', 'checkpoints', 'config.json']

/** A run by its id. */
export interface RunPlace {
  readonly id: string
  readonly name: string
  readonly dir: string
  /** Folder that it was found in; null for a run that was named itself. */
  readonly root: string | null
  /** Why it is not read. */
  readonly problem: string | null
}

const isId = (name: string) => /^[\w.-]{1,128}$/.test(name) && !/^\.+$/.test(name)
const hashed = (path: string) => `x-${createHash('sha256').update(path).digest('hex').slice(0, 16)}`

/** Whether a path that was resolved lies in a folder that was, or is it. */
export const isWithin = (root: string, path: string): boolean =>
  path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)

/**
 * The folders that runs are looked for in, each of whose folders may be a run; one that is a run itself counts as one. Runs have ids: a request
 * names no path.
 */
export class RunFolders {
  readonly #roots: readonly string[]

  /** `rootDir`: the working folder, whose paths are shown from there. */
  constructor(
    readonly rootDir: string,
    roots: readonly string[],
  ) {
    this.#roots = [...new Set(roots)]
  }

  /** Where new runs are made: the first folder. */
  get home(): string {
    return this.#roots[0]!
  }

  get shown(): readonly string[] {
    return this.#roots.map((root) => this.show(root))
  }

  /** A path as it is shown: from the working folder where it lies in it. */
  show(path: string): string {
    const from = relative(this.rootDir, path)
    return from === '' ? '.' : from.startsWith('..') || isAbsolute(from) ? path : from
  }

  list(): { readonly places: readonly RunPlace[]; readonly more: number } {
    const places = new Map<string, RunPlace>()
    const taken = new Set<string>()
    let more = 0
    const add = (dir: string, root: string | null, problem: string | null) => {
      if (places.size >= mostRuns) {
        more++
        return
      }
      const name = basename(dir)
      // Of two of a name in two folders the second has another id; so has a name that no address holds.
      const id = isId(name) && !taken.has(name) ? name : hashed(dir)
      taken.add(id)
      places.set(dir, { id, name, dir, root, problem })
    }
    for (const root of this.#roots) {
      if (!existsSync(root)) continue
      if (existsSync(join(root, 'manifest.json'))) {
        add(root, null, null)
        continue
      }
      let names: string[]
      try {
        names = readdirSync(root).sort()
      } catch (error) {
        add(root, null, why(error))
        continue
      }
      for (const name of names) {
        if (name.startsWith('.')) continue
        const dir = join(root, name)
        if (places.has(dir)) continue
        const found = kindOf(root, dir)
        if (found !== null) add(dir, root, found.problem)
      }
    }
    return { places: [...places.values()], more }
  }

  /** The run of an id; 404 where there is none. */
  find(id: string): RunPlace {
    const found = isId(id) ? this.list().places.find((place) => place.id === id) : undefined
    if (found) return found
    throw new HttpError(404, 'not_found', `There is no run ${JSON.stringify(id.slice(0, 128))}.`)
  }
}

const why = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') return 'No permission to read the folder.'
  return message
}

/** What a folder is as a run; null for what is none. */
function kindOf(root: string, dir: string): { readonly problem: string | null } | null {
  try {
    const isLink = lstatSync(dir).isSymbolicLink()
    if (!statSync(dir).isDirectory()) return null
    if (isLink && !isWithin(realpathSync(root), realpathSync(dir)))
      return { problem: 'A link leads out of the folder of runs; it is not followed.' }
    const names = new Set(readdirSync(dir))
    return marks.some((mark) => names.has(mark)) ? { problem: null } : null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : { problem: why(error) }
  }
}

/** The folder that runs of a place may be made and removed in. */
export const parentOf = ({ dir, root }: RunPlace): string => root ?? dirname(dir)
