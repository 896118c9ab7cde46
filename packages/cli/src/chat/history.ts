import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** Lines that are kept: what a person looks back for. */
const most = 500

/** Bytes of the file: lines of 30 kB each, longer than what fits on a prompt. */
const mostBytes = 16 * 2 ** 20

/** Where lines that were typed are kept between chats; the user alone may read it. */
export const historyFile = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'ift/chat-history')

/** Lines typed before, the newest first, as readline takes them. What is no file of lines, or cannot be read, is an empty one. */
export function readHistory(file: string): string[] {
  try {
    const info = statSync(file)
    if (!info.isFile() || info.size > mostBytes) return []
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
    return lines.slice(-most).reverse()
  } catch {
    return []
  }
}

/** Keeps the lines for the next time; without a place to keep them a chat goes on all the same. */
export function keepHistory(file: string, newestFirst: readonly string[]): void {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) return
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const lines = newestFirst.slice(0, most).reverse()
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  } catch {
    // A read-only home folder.
  }
}
