import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ServeApp } from './routes/route.js'

/** Files of the page, and their bytes, at most. */
const mostFiles = 64
const mostBytes = 16 * 1024 * 1024

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

/** What the page may do: load its own files and ask its own server. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const headers = {
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}

/** The folder of the page where @ift/web is installed, as a folder sees it; null where it is not. */
export function pageFolder(from: readonly string[]): string | null {
  for (const dir of [...from.map((folder) => pathToFileURL(join(folder, 'x.js')).href), import.meta.url])
    try {
      const folder = join(dirname(createRequire(dir).resolve('@ift/web/package.json')), 'ui')
      if (existsSync(join(folder, 'index.html'))) return folder
    } catch {
      // Not from there.
    }
  return null
}

interface PageFile {
  readonly path: string
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  /** A name with a hash of the contents is of those contents for ever. */
  readonly isForEver: boolean
  readonly tag: string
}

/** Files of a folder, read once: no request names a path. */
function filesOf(folder: string): PageFile[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).slice(0, mostFiles)
  let left = mostBytes
  return names.flatMap((name) => {
    const file = join(folder, name)
    const type = types[extname(name)]
    const info = statSync(file)
    left -= info.size
    if (!info.isFile() || type === undefined || left < 0) return []
    const bytes = new Uint8Array(readFileSync(file))
    const isForEver = /[.-][A-Za-z0-9_-]{8,}\.[a-z]+$/.test(name) && extname(name) !== '.html'
    const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
    return [{ path: `/${name.replaceAll('\\', '/')}`, bytes, type, isForEver, tag }]
  })
}

const absent = `The page is not installed beside this server.

  npm install @ift/web

Then start the server again. /v1 answers as it is.
`

/** `GET /` and the files of the page; returns their paths, which hold nothing secret and need no token. */
export function pageRoutes(app: ServeApp, folder: string | null): ReadonlySet<string> {
  if (folder === null) {
    app.get('/', (context) => context.text(absent, 404, headers))
    return new Set(['/'])
  }
  const files = filesOf(folder)
  const add = (path: string, { bytes, type, isForEver, tag }: PageFile) => {
    app.get(path, (context) => {
      const own = {
        ...headers,
        'content-type': type,
        etag: tag,
        'cache-control': isForEver ? 'public, max-age=31536000, immutable' : 'no-cache',
      }
      return context.req.header('if-none-match') === tag
        ? context.body(null, 304, own)
        : context.body(bytes, 200, own)
    })
  }
  for (const file of files) add(file.path, file)
  const index = files.find(({ path }) => path === '/index.html')
  if (index) add('/', { ...index, isForEver: false })
  return new Set(['/', ...files.map(({ path }) => path)])
}
