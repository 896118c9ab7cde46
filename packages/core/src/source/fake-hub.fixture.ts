import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FakeHubWrites } from './fake-hub-writes.fixture.js'

/** A repository of the stand-in hub that tests talk to on 127.0.0.1. */
export interface FakeRepo {
  readonly commit: string
  /** Content by path. */
  readonly files: Readonly<Record<string, Buffer>>
  /** Paths that are stored as large files. */
  readonly large?: readonly string[]
  readonly gated?: boolean
  readonly private?: boolean
  readonly revisions?: Readonly<Record<string, string>>
  /** What the list says instead of the truth. */
  readonly lies?: Readonly<Record<string, Partial<{ path: string; size: number; oid: string }>>>
}

export interface FakeHubRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
export const gitHash = (data: Buffer): string =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex')

type Interfere = (
  request: FakeHubRequest,
  response: ServerResponse,
  content: Buffer | null,
) => boolean | Promise<boolean>

/** Speaks as much of the hub's HTTP interface as ift uses. */
export class FakeHub {
  readonly repos = new Map<string, FakeRepo>()
  readonly requests: FakeHubRequest[] = []
  /** Returns true when it has answered itself. */
  interfere: Interfere = () => false
  /** Entries of one page of a file list. */
  pageSize = 1000
  /** Sends large files from this origin. */
  redirectTo: string | null = null
  token: string | null = null
  readonly writes = new FakeHubWrites(this)
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => {
      response.destroy(error as Error)
    })
  })

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this.url
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Requests for the content of files. */
  get downloads(): FakeHubRequest[] {
    return this.requests.filter(({ path }) => path.includes('/resolve/'))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url)
    const seen: FakeHubRequest = {
      method: request.method!,
      path: url.pathname + url.search,
      headers: request.headers,
    }
    this.requests.push(seen)
    const refuse = (status: number, code: string) =>
      response.writeHead(status, { 'x-error-code': code }).end('{"error":"refused"}')
    const send = (value: unknown, headers: Record<string, string> = {}) =>
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
    const path = decodeURIComponent(url.pathname)
    const api = /^\/api\/(?:models|datasets)\/(.+?)\/(revision|tree)\/(.+)$/.exec(path)
    const file = /^\/(?:datasets\/)?(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path)
    const id = (api ?? file)?.[1]
    const repo = id === undefined ? undefined : this.repos.get(id)
    const content = file && repo ? (repo.files[file[3]!] ?? null) : null
    if (await this.interfere(seen, response, content)) return
    if (await this.writes.answer(request, response, path)) return
    const known = this.token !== null && request.headers.authorization === `Bearer ${this.token}`
    if (!repo || (repo.private && !known)) return void refuse(known ? 404 : 401, 'RepoNotFound')
    if (api) {
      const [, , what, revision] = api
      const commit =
        revision === 'main' || revision === repo.commit ? repo.commit : repo.revisions?.[revision!]
      if (commit === undefined) return void refuse(404, 'RevisionNotFound')
      if (what === 'revision') return void send({ id, sha: commit, gated: repo.gated ? 'manual' : false })
      const entries = Object.entries(repo.files).map(([name, data]) => {
        const lie = repo.lies?.[name]
        const plain = { type: 'file', path: name, size: data.length, oid: gitHash(data), ...lie }
        const large = repo.large?.includes(name)
        return large
          ? {
              ...plain,
              oid: gitHash(Buffer.from(sha256(data))),
              lfs: { oid: lie?.oid ?? sha256(data), size: plain.size, pointerSize: 134 },
            }
          : plain
      })
      const start = Number(url.searchParams.get('cursor') ?? 0)
      const end = start + this.pageSize
      const more = new URL(url)
      more.searchParams.set('cursor', String(end))
      return void send(
        [{ type: 'directory', path: 'folder', oid: '0'.repeat(40), size: 0 }, ...entries.slice(start, end)],
        end < entries.length ? { link: `<${more.href}>; rel="next"` } : {},
      )
    }
    if (repo.gated && !known) return void refuse(403, 'GatedRepo')
    if (!content || !file) return void refuse(404, 'EntryNotFound')
    if (this.redirectTo !== null && repo.large?.includes(file[3]!))
      return void response.writeHead(302, { location: this.redirectTo + url.pathname }).end()
    this.sendFile(seen, response, content)
  }

  /** Content from where the Range asks, or all of it. */
  sendFile({ headers }: FakeHubRequest, response: ServerResponse, content: Buffer): void {
    const range = /^bytes=(\d+)-$/.exec(headers.range ?? '')
    if (!range) return void response.writeHead(200, { 'content-length': content.length }).end(content)
    const start = Number(range[1])
    if (start >= content.length) return void response.writeHead(416).end()
    response
      .writeHead(206, {
        'content-length': content.length - start,
        'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
      })
      .end(content.subarray(start))
  }
}
