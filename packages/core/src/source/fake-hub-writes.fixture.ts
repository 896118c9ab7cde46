import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FakeHub, FakeRepo } from './fake-hub.fixture.js'

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

interface LfsObject {
  readonly oid: string
  readonly size: number
}

interface CommitLine {
  readonly key: 'header' | 'file' | 'lfsFile' | 'deletedFile'
  readonly value: { readonly path: string; readonly content: string; readonly encoding: string } & LfsObject
}

/** What was committed to a repository of the stand-in hub. */
export interface FakeCommit {
  readonly id: string
  readonly revision: string
  readonly paths: readonly string[]
}

/** The part of the stand-in hub that is written to: repositories, commits with Git LFS, tags. */
export class FakeHubWrites {
  readonly commits: FakeCommit[] = []
  /** Contents of large files by their sha256. */
  readonly objects = new Map<string, Buffer>()
  /** Where large files are sent, when that is another server. */
  uploadTo: string | null = null

  constructor(readonly hub: FakeHub) {}

  /** Stores an object, as the storage behind a hub does: it takes what is sent, whoever sends it. */
  async store(request: IncomingMessage, response: ServerResponse, oid: string): Promise<void> {
    const content = await bodyOf(request)
    if (createHash('sha256').update(content).digest('hex') !== oid) return void response.writeHead(400).end()
    this.objects.set(oid, content)
    response.writeHead(200).end()
  }

  /** Answers a request that writes; false for one that does not. */
  async answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
    const send = (status: number, value: unknown): true => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      return true
    }
    const { method } = request
    const stored = /^\/lfs\/([0-9a-f]{64})$/.exec(path)
    if (method === 'PUT' && stored) {
      await this.store(request, response, stored[1]!)
      return true
    }
    const about = /^\/api\/models\/([^/]+\/[^/]+)$/.exec(path)
    const { token, repos } = this.hub
    const mayWrite = token !== null && request.headers.authorization === `Bearer ${token}`
    if (method === 'GET' && about) {
      const repo = repos.get(about[1]!)
      if (!repo || (repo.private && !mayWrite)) return send(404, { error: 'Repository not found' })
      return send(200, { id: about[1], sha: repo.commit, private: repo.private ?? false })
    }
    const written = /^\/api\/models\/([^/]+\/[^/]+)\/(preupload|commit|tag)\/([^/]+)$/.exec(path)
    const batch = /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(path)
    const creates = path === '/api/repos/create'
    if (method === 'GET' || !(written || batch || creates)) return false
    const body = await bodyOf(request)
    if (!mayWrite) return send(401, { error: 'Invalid username or password.' })
    if (creates) {
      const asked = JSON.parse(body.toString()) as { name: string; organization: string; visibility: string }
      const id = `${asked.organization}/${asked.name}`
      if (repos.has(id)) return send(409, { error: 'You already created this model repo' })
      repos.set(id, { commit: '0'.repeat(40), files: {}, private: asked.visibility !== 'public' })
      return send(200, { url: `${this.hub.url}/${id}`, id })
    }
    const id = (written ?? batch)![1]!
    const repo = repos.get(id)
    if (!repo) return send(404, { error: 'Repository not found' })
    if (batch) {
      const { objects } = JSON.parse(body.toString()) as { objects: readonly LfsObject[] }
      const href = (oid: string) => `${this.uploadTo ?? this.hub.url}/lfs/${oid}`
      return send(200, {
        transfer: 'basic',
        objects: objects.map(({ oid, size }) => ({
          ...{ oid, size },
          ...(!this.objects.has(oid) && { actions: { upload: { href: href(oid) } } }),
        })),
      })
    }
    const [, , what, revision] = written!
    if (what === 'preupload') {
      const { files } = JSON.parse(body.toString()) as { files: readonly { path: string }[] }
      const isLarge = (name: string) => /\.(safetensors|bin|model)$/.test(name)
      return send(200, {
        files: files.map(({ path }) => ({ path, uploadMode: isLarge(path) ? 'lfs' : 'regular' })),
      })
    }
    if (what === 'commit') return this.#commit(id, repo, revision!, body, send)
    const revisions = new Map(Object.entries(repo.revisions ?? {}))
    if (method === 'DELETE') revisions.delete(revision!)
    else {
      const { tag } = JSON.parse(body.toString()) as { tag: string }
      if (revisions.has(tag)) return send(409, { error: 'Tag reference exists already' })
      revisions.set(tag, revision!)
    }
    repos.set(id, { ...repo, revisions: Object.fromEntries(revisions) })
    return send(200, {})
  }

  #commit(
    id: string,
    repo: FakeRepo,
    revision: string,
    body: Buffer,
    send: (status: number, value: unknown) => true,
  ): true {
    const files: Record<string, Buffer> = { ...repo.files }
    const large = new Set(repo.large)
    const paths: string[] = []
    for (const line of body.toString().split('\n')) {
      const { key, value } = JSON.parse(line) as CommitLine
      if (key === 'header') continue
      paths.push(value.path)
      if (key === 'file') files[value.path] = Buffer.from(value.content, value.encoding as BufferEncoding)
      else {
        const object = this.objects.get(value.oid)
        if (object?.length !== value.size) return send(400, { error: `${value.path} has not arrived` })
        files[value.path] = object
        large.add(value.path)
      }
    }
    const commit = createHash('sha1').update(body).digest('hex')
    this.hub.repos.set(id, { ...repo, commit, files, large: [...large] })
    this.commits.push({ id: commit, revision, paths: paths.sort() })
    return send(200, {
      success: true,
      commitOid: commit,
      commitUrl: `${this.hub.url}/${id}/commit/${commit}`,
      hookOutput: '',
    })
  }
}
