import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  constants,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Milliseconds for which a token is the same over the starts of servers: pages that are open go on. */
const age = 30 * 24 * 3_600_000

/** 128 bits. */
export const newToken = (): string => randomBytes(16).toString('base64url')

/** The token in a file that nobody else can read; null where there is none, or it is old. */
function read(path: string): string | null {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NOFOLLOW ?? 0))
  } catch {
    return null
  }
  try {
    const { mode, uid, size, mtimeMs } = fstatSync(file)
    const isOthers = process.platform !== 'win32' && ((mode & 0o077) !== 0 || uid !== process.getuid?.())
    if (isOthers || size > 100 || Date.now() - mtimeMs > age) return null
    const token = readFileSync(file, 'utf8').trim()
    return /^[\w-]{22}$/.test(token) ? token : null
  } finally {
    closeSync(file)
  }
}

/** The user's token for pages, which is kept for 30 days; one for this start alone where none can be kept. */
export function keptToken(
  folder: string = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ift'),
): string {
  const path = join(folder, 'page-token')
  const found = read(path)
  if (found !== null) return found
  const token = newToken()
  const temporary = `${path}.tmp-${randomBytes(6).toString('hex')}`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(temporary, `${token}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(temporary, path)
  } catch {
    rmSync(temporary, { force: true })
  }
  return token
}
