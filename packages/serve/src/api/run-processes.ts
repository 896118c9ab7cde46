import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart, runHolder, type RunHolder } from '@ift/core'
import { HttpError } from '../wire/errors.js'

/** How this command line is run again: what stands before the name of a verb. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
}

/** Milliseconds after which a process that was told twice is ended by the system. */
const patience = 5000

const keyOf = ({ pid, started }: RunHolder) => `${pid} ${started}`

/** Keys and the like are the server's own. */
function environment(): NodeJS.ProcessEnv {
  const { IFT_API_KEY: _, NODE_CHANNEL_FD: __, ...env } = process.env
  return env
}

/**
 * Starts and stops runs. A run is a process of its own session: the end of the server is not its end. It is stopped as by Ctrl-C, and only
 * after its process was found to be the one that its lock names.
 */
export class RunProcesses {
  readonly #program: Program | null
  readonly #stopping = new Set<string>()
  readonly #starting = new Map<string, ChildProcess>()

  constructor(program: Program | null) {
    this.#program = program
  }

  /** Whether runs can be started; null, or why not. */
  get whyNot(): string | null {
    return this.#program === null ? 'This server is a part of another program, which starts no runs.' : null
  }

  get program(): Program {
    if (this.#program !== null) return this.#program
    throw new HttpError(409, 'cannot_start', this.whyNot!)
  }

  /** Throws 409 where no run can be started. */
  requireProgram(): void {
    if (this.whyNot !== null) throw new HttpError(409, 'cannot_start', this.whyNot)
  }

  /** Whether a process of this server is about to train in a folder. */
  isStarting(dir: string): boolean {
    return this.#starting.has(dir)
  }

  isStopping(holder: RunHolder): boolean {
    return this.#stopping.has(keyOf(holder))
  }

  /** Whether the process is one of this machine that this one may signal. */
  canSignal({ pid, isHere }: RunHolder): boolean {
    if (!isHere || process.platform === 'win32') return false
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }

  /** Trains in a folder that is there; what the process writes goes to `log.txt` in it. */
  start(dir: string, rootDir: string, config: object, args: readonly string[]): void {
    const { command, args: own } = this.program
    const log = openSync(join(dir, 'log.txt'), 'a', 0o600)
    try {
      const words = [...own, 'train', '--config', '-', '--output', dir, ...args]
      const child = spawn(command, words, {
        cwd: rootDir,
        detached: true,
        stdio: ['pipe', log, log],
        env: environment(),
        windowsHide: true,
      })
      this.#starting.set(dir, child)
      const ended = () => {
        if (this.#starting.get(dir) === child) this.#starting.delete(dir)
      }
      child.once('exit', ended)
      child.once('error', ended)
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(JSON.stringify(config))
      child.unref()
    } finally {
      closeSync(log)
    }
  }

  /** Tells the process of a run to end after its step, or, `now`, at once. */
  async stop(dir: string, now: boolean): Promise<void> {
    const holder = runHolder(dir)
    if (holder === null) throw new HttpError(409, 'not_running', 'No process trains this run.')
    if (!this.canSignal(holder))
      throw new HttpError(
        403,
        'run_elsewhere',
        `Process ${holder.pid} on ${holder.host} trains it, and this server may not signal that: stop it there.`,
        { type: 'permission_error' },
      )
    const isSame = () => processStart(holder.pid) === holder.started
    if (!isSame()) throw new HttpError(409, 'not_running', 'Its process has ended.')
    const isTold = this.isStopping(holder)
    if (isTold && !now) return
    this.#stopping.add(keyOf(holder))
    process.kill(holder.pid, 'SIGINT')
    if (!now) return
    // The first one is Ctrl-C; of the second the system ends it, where it is not in the middle of the first.
    if (!isTold) {
      await sleep(200)
      if (isSame()) process.kill(holder.pid, 'SIGINT')
    }
    const until = Date.now() + patience
    while (isSame() && Date.now() < until) await sleep(50)
    if (isSame()) process.kill(holder.pid, 'SIGKILL')
  }
}
