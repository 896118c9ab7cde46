import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Start of a process of this machine, in the system's own notation. Together with the id it tells a process from a
 * later one with the same id. Null when the process does not exist; empty when the system does not tell its start.
 */
export function processStart(pid: number): string | null {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null
  }
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      // The name, in brackets, may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? '')
    }
    if (process.platform === 'win32') return ''
    const said = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return said.trim()
  } catch {
    return ''
  }
}

const readOr = (read: () => string): string => {
  try {
    return read().trim()
  } catch {
    return ''
  }
}

/** Where the id of a process of this one's machine means the same process. */
export interface ProcessPlace {
  readonly host: string
  /** Which boot of the machine, and which numbering of processes: containers of one name have several. */
  readonly boot: string
  readonly namespace: string
}

export const processPlace = (): ProcessPlace => ({
  host: hostname(),
  boot: readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  namespace: readOr(() => readlinkSync('/proc/self/ns/pid')),
})
