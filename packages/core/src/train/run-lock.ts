import { randomBytes } from 'node:crypto'
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  write,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { IftError } from '@ift/tensor'
import { writeFailed } from '../files/errors.js'
import { readRegularSync } from '../files/regular-file.js'
import { processPlace, processStart, type ProcessPlace } from '../files/process.js'

/** Who writes in a folder. */
interface Holder extends ProcessPlace {
  readonly pid: number
  /** When the process started, as `processStart` says. */
  readonly started: string
  readonly since: string
  /** Tells two locks of one process apart. */
  readonly key: string
}

interface Found {
  readonly text: string
  /** Null when the file is no lock of ours, or is still being written. */
  readonly holder: Holder | null
  /** When its holder last touched it, by the clock of the file system. */
  readonly touched: number
}

/**
 * Interval at which a holder touches its lock, and silence after which a holder counts as gone when its process
 * cannot be checked.
 */
const heartbeat = 5_000
const silence = 120_000
/** A lock is one line. */
const mostLockBytes = 1 << 16

const readOr = <T>(read: () => T, other: T): T => {
  try {
    return read()
  } catch {
    return other
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/** Locks of this process, let go of when it ends by itself. */
const held = new Set<RunLock>()

/** Lets go of all locks of this process, for an end without the handlers of an exit. */
export function releaseLocks(): void {
  for (const lock of held) lock.release()
}

/**
 * The right to write in a run's folder: a file `run.lock` that names machine, process and start. It is created in one
 * step, so only one of two concurrent processes gets it. A lock that a killed process left behind is taken over: its
 * process no longer exists or, where that cannot be checked, was silent for two minutes.
 */
export class RunLock {
  readonly #path: string
  readonly #text: string
  /** Folders that were made for it. */
  readonly #made: string | null
  #file = -1
  #timer: NodeJS.Timeout | null = null

  private constructor(dir: string, made: string | null) {
    this.#path = join(dir, 'run.lock')
    this.#made = made
    const holder: Holder = {
      ...processPlace(),
      pid: process.pid,
      started: processStart(process.pid) ?? '',
      since: new Date().toISOString(),
      key: randomBytes(8).toString('hex'),
    }
    this.#text = `${JSON.stringify(holder)}\n`
  }

  /** Throws `IFT_RUN_EXISTS`, with the process, when a run is under way in the folder. */
  static async acquire(dir: string): Promise<RunLock> {
    try {
      const lock = new RunLock(dir, mkdirSync(dir, { recursive: true }) ?? null)
      try {
        await take(lock.#path, lock.#text)
      } catch (error) {
        lock.#removeFolders()
        throw error
      }
      lock.#hold()
      return lock
    } catch (error) {
      throw writeFailed(join(dir, 'run.lock'), error)
    }
  }

  #hold(): void {
    if (held.size === 0) process.on('exit', releaseLocks)
    held.add(this)
    this.#file = openSync(this.#path, 'r+')
    // Writes the same bytes again: the file system's clock sets the time, and a lock that another process took over
    // is not changed.
    this.#timer ??= setInterval(() => {
      write(this.#file, this.#text, 0, () => undefined)
    }, heartbeat).unref()
    const guard = look(`${this.#path}.takeover`)
    if (guard && isGone(guard, 0)) rmSync(`${this.#path}.takeover`, { force: true })
  }

  /** Throws `IFT_RUN_EXISTS` when another run has taken the folder meanwhile. A lock that was moved away is made again. */
  async confirm(): Promise<void> {
    const found = look(this.#path)
    if (found?.text === this.#text) return
    try {
      mkdirSync(dirname(this.#path), { recursive: true })
      await take(this.#path, this.#text)
      closeSync(this.#file)
      this.#hold()
    } catch (error) {
      throw writeFailed(this.#path, error)
    }
  }

  /** Lets go of the folder; one that was made for the lock and holds nothing else goes with it. */
  release(): void {
    if (!held.delete(this)) return
    if (held.size === 0) process.off('exit', releaseLocks)
    clearInterval(this.#timer!)
    closeSync(this.#file)
    if (look(this.#path)?.text === this.#text) rmSync(this.#path, { force: true })
    this.#removeFolders()
  }

  #removeFolders(): void {
    if (this.#made === null) return
    try {
      for (let dir = dirname(this.#path); dir.length >= this.#made.length; dir = dirname(dir)) rmdirSync(dir)
    } catch {
      // It holds something.
    }
  }
}

/** The process that trains in a folder. */
export interface RunHolder {
  readonly pid: number
  readonly host: string
  /** Start of the process in the system's notation (`processStart`): with the id it tells the process from later ones. */
  readonly started: string
  /** When it took the folder, ISO 8601. */
  readonly since: string
  /** Whether it is a process of this machine, of the same boot and numbering, so that its id means the same process here. */
  readonly isHere: boolean
}

/** The process that holds the lock of a run's folder; null where there is none, or it has ended. Nothing is changed. */
export function runHolder(dir: string, now: number = Date.now()): RunHolder | null {
  const found = look(join(dir, 'run.lock'))
  if (!found?.holder || isGone(found, now)) return null
  const { pid, host, started, since } = found.holder
  return { pid, host, started, since, isHere: inSight(found.holder) }
}

function look(path: string): Found | null {
  try {
    const text = readRegularSync(path, mostLockBytes).toString('utf8')
    const { mtimeMs } = statSync(path)
    const parsed = readOr(() => JSON.parse(text) as Partial<Holder> | null, null)
    const holder = typeof parsed?.pid === 'number' && typeof parsed.host === 'string' ? parsed : null
    return { text, holder: holder as Holder | null, touched: mtimeMs }
  } catch (error) {
    if (error instanceof IftError && error.code === 'IFT_FILE_NOT_FOUND') return null
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Whether the holder's process can be looked at from here. */
function inSight(holder: Holder): boolean {
  const here = processPlace()
  return holder.host === here.host && holder.boot === here.boot && holder.namespace === here.namespace
}

/** `now` by the clock of the file system. */
function isGone({ holder, touched }: Found, now: number): boolean {
  if (holder === null || !inSight(holder)) return now - touched > silence
  const started = processStart(holder.pid)
  if (started === null) return true
  // Windows does not tell: the process of this id may be a later one, which never touches the lock.
  if (started === '' || holder.started === '') return now - touched > silence
  return started !== holder.started
}

/**
 * Creates the file `path` with `text` when it does not exist, or when its maker is gone. Processes that find it left
 * behind use a second lock beside it, so that none replaces the new lock of another.
 */
async function take(path: string, text: string, patience = 0): Promise<void> {
  const temporary = join(dirname(path), `.run.lock.tmp-${randomBytes(6).toString('hex')}`)
  const until = Date.now() + patience
  writeFileSync(temporary, text, { flag: 'wx' })
  try {
    const now = statSync(temporary).mtimeMs
    for (;;) {
      if (create(temporary, path, text)) return
      const found = look(path)
      if (found === null) continue
      if (!isGone(found, now)) {
        if (Date.now() >= until) throw inUse(path, found, now - found.touched)
        await sleep(20)
        continue
      }
      const guard = `${path}.takeover`
      await take(guard, text, 10_000)
      try {
        if (look(path)?.text === found.text) {
          renameSync(temporary, path)
          return
        }
      } finally {
        rmSync(guard, { force: true })
      }
    }
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** False when the file is there. */
function create(temporary: string, path: string, text: string): boolean {
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
  }
  // A file system without links: the file appears at once all the same, and is whole a moment later.
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function inUse(path: string, { holder }: Found, silent: number): IftError {
  const dir = dirname(path)
  const seconds = Math.max(0, Math.round(silent / 1000))
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : `see ${path}`
  const hint =
    holder && inSight(holder) && holder.started !== ''
      ? 'Wait until it ends, then go on with it: --resume. Or choose another folder: --output DIR'
      : `It gave a sign of life ${seconds} s ago; after ${silence / 1000} s without one it counts as gone. When you know that it is: rm ${path}`
  return new IftError('IFT_RUN_EXISTS', `A run is under way in ${dir}: ${who}.`, hint)
}
