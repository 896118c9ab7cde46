import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, lstat, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { IftError } from '@ift/tensor'
import { looseObject, number, record, string } from 'zod'
import { readJson, type Shape } from '../files/read-json.js'
import { readRegular } from '../files/regular-file.js'
import { rename } from '../files/rename.js'
import type { HubFile, SourceKind } from './types.js'

const treeVersion = 1

/** trees/<commit>.json as huggingface_hub 2 writes it. */
interface TreeFile {
  readonly format_version: number
  readonly files: Readonly<
    Record<
      string,
      { size: number; blob_id: string; lfs_sha256?: string; lfs_size?: number; xet_hash?: string }
    >
  >
}

const treeShape: Shape<TreeFile> = looseObject({
  format_version: number(),
  files: record(
    string(),
    looseObject({
      size: number(),
      blob_id: string(),
      lfs_sha256: string().optional(),
      lfs_size: number().optional(),
      xet_hash: string().optional(),
    }),
  ),
})

/** A ref holds a commit. */
const mostRefBytes = 1024

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text)

/** Refuses names from outside that would lead out of a folder. */
export function checkFileName(path: string, id: string): void {
  const parts = path.split('/')
  if (
    path === '' ||
    /[\\\0]/.test(path) ||
    /^[A-Za-z]:/.test(path) ||
    parts.some((part) => part === '' || part === '.' || part === '..')
  )
    throw new IftError(
      'IFT_SOURCE_UNSAFE',
      `${id} lists a file named ${JSON.stringify(path)}, which leaves its folder.`,
    )
}

/** One repository in a cache of huggingface_hub's layout: blobs by hash, snapshots by commit, refs by branch. */
export class RepoCache {
  readonly dir: string
  readonly locks: string

  constructor(
    readonly cacheDir: string,
    readonly kind: SourceKind,
    readonly id: string,
  ) {
    const folder = [kind === 'dataset' ? 'datasets' : 'models', ...id.split('/')].join('--')
    this.dir = join(cacheDir, folder)
    this.locks = join(cacheDir, '.locks', folder)
  }

  blob(etag: string): string {
    return join(this.dir, 'blobs', etag)
  }

  snapshot(commit: string): string {
    return join(this.dir, 'snapshots', commit)
  }

  /** Commit that a branch or tag pointed to when it was last asked for. */
  async commitOf(revision: string): Promise<string | null> {
    if (isCommit(revision)) return revision
    const bytes = await readRegular(join(this.dir, 'refs', revision), mostRefBytes).catch(() => null)
    const commit = bytes?.toString('utf8').trim() ?? ''
    return isCommit(commit) ? commit : null
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision !== commit) await this.#write(join(this.dir, 'refs', revision), commit)
  }

  /** Files of a snapshot whose content is there. */
  async filesOf(commit: string): Promise<string[]> {
    const root = this.snapshot(commit)
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
    const names: string[] = []
    for (const entry of entries) {
      if (entry.isDirectory()) continue
      const path = join(entry.parentPath, entry.name)
      const found = await stat(path).catch(() => null)
      if (found?.isFile()) names.push(relative(root, path).split(sep).join('/'))
    }
    return names.sort()
  }

  async has(commit: string, { path, size }: HubFile): Promise<boolean> {
    const found = await stat(join(this.snapshot(commit), path)).catch(() => null)
    return found !== null && found.isFile() && found.size === size
  }

  /** The list of all files of a commit; a commit never changes. Null when it was never fetched, or is damaged. */
  async readTree(commit: string): Promise<HubFile[] | null> {
    if (!existsSync(this.#tree(commit))) return null
    try {
      const { format_version: version, files } = await readJson(this.#tree(commit), treeShape)
      if (version !== treeVersion) return null
      return Object.entries(files).map(([path, info]) => {
        checkFileName(path, this.id)
        const [etag, size] = [info.lfs_sha256 ?? info.blob_id, info.lfs_size ?? info.size]
        if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) || !Number.isSafeInteger(size))
          throw new IftError('IFT_FILE_CORRUPT', `${this.#tree(commit)}: ${path}`)
        return { path, size, etag, blobId: info.blob_id, ...(info.xet_hash && { xetHash: info.xet_hash }) }
      })
    } catch {
      // It can be asked for again.
      return null
    }
  }

  writeTree(commit: string, files: readonly HubFile[]): Promise<void> {
    const infos = files.map(({ path, size, etag, blobId, xetHash }): [string, TreeFile['files'][string]] => [
      path,
      {
        size,
        blob_id: blobId,
        ...(etag !== blobId && { lfs_sha256: etag, lfs_size: size }),
        ...(xetHash !== undefined && { xet_hash: xetHash }),
      },
    ])
    const content: TreeFile = { format_version: treeVersion, files: Object.fromEntries(infos) }
    return this.#write(this.#tree(commit), JSON.stringify(content, null, 1))
  }

  /** Makes a blob appear in a snapshot: by a relative link, by a copy where links are not allowed. */
  async link(commit: string, { path, etag }: HubFile): Promise<void> {
    const target = join(this.snapshot(commit), path)
    const blob = this.blob(etag)
    await mkdir(dirname(target), { recursive: true })
    const draft = `${target}.${randomUUID().slice(0, 8)}`
    try {
      // Without the right to make links (EPERM), and on disks that have none, which say so in many ways: EISDIR on an exFAT of Windows.
      await symlink(relative(dirname(target), blob), draft).catch(() => copyFile(blob, draft))
      await rename(draft, target)
    } catch (cause) {
      await rm(draft, { force: true })
      throw cause
    }
  }

  async hasBlob({ etag, size }: HubFile): Promise<boolean> {
    const found = await lstat(this.blob(etag)).catch(() => null)
    return found !== null && found.size === size
  }

  #tree(commit: string): string {
    return join(this.dir, 'trees', `${commit}.json`)
  }

  async #write(path: string, content: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    const draft = `${path}.${randomUUID().slice(0, 8)}`
    await writeFile(draft, content)
    await rename(draft, path)
  }
}
