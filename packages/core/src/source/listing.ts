import { stat } from 'node:fs/promises'
import { IftError } from '@ift/tensor'
import { localPath } from '../files/paths.js'
import { nearestNames } from '../files/pattern.js'
import { RepoCache } from './cache.js'
import { partOf } from './download.js'
import { Hub } from './hub.js'
import { hubFilesOf } from './locate.js'
import { resolveSource } from './resolve.js'
import { selectFiles } from './select.js'
import { parseSource } from './spec.js'
import type { HubFile, ResolvedSource, ResolveOptions } from './types.js'

/** A repository of the hub and the files of a commit, of which nothing is fetched until `fetch`. */
export class RepoListing {
  readonly #cache: RepoCache
  readonly #options: ResolveOptions

  constructor(
    readonly id: string,
    /** Branch, tag or commit that was asked for. */
    readonly revision: string,
    readonly commit: string,
    readonly tree: readonly HubFile[],
    options: ResolveOptions,
  ) {
    this.#options = options
    this.#cache = new RepoCache(options.cacheDir, options.kind, id)
  }

  /** Files that patterns name, or that a source of the kind needs. Throws IFT_SOURCE_NOT_FOUND where there is none. */
  wanted(patterns: readonly string[] | undefined): readonly HubFile[] {
    const files = selectFiles(this.tree, this.#options.kind, patterns)
    if (files.length > 0) return files
    const names = this.tree.map(({ path }) => path)
    throw new IftError(
      'IFT_SOURCE_NOT_FOUND',
      patterns
        ? `${this.id}@${this.revision} has no file ${patterns.join(', ')}; it has ${nearestNames(patterns[0]!, names)}.`
        : `${this.id}@${this.revision} holds no files of a ${this.#options.kind}.`,
      'Check the name of the repository.',
    )
  }

  /** Bytes of a file that are still to be fetched; 0 where it is here. */
  async missing(file: HubFile): Promise<number> {
    if ((await this.#cache.has(this.commit, file)) || (await this.#cache.hasBlob(file))) return 0
    return file.size - Math.min(file.size, (await partOf(this.#cache, file))?.size ?? 0)
  }

  /** Fetches files, going on where an earlier attempt ended; files of this commit are then found under its revision. */
  async fetch(
    files: readonly HubFile[],
    { onProgress, signal }: Pick<ResolveOptions, 'onProgress' | 'signal'> = {},
  ): Promise<ResolvedSource | null> {
    const source =
      files.length === 0
        ? null
        : await resolveSource(`hf:${this.id}@${this.commit}`, {
            ...this.#options,
            patterns: files.map(({ path }) => path),
            ...(onProgress && { onProgress }),
            ...(signal && { signal }),
          })
    await this.#cache.writeTree(this.commit, this.tree)
    await this.#cache.writeRef(this.revision, this.commit)
    return source
  }
}

/**
 * The files of a hub id. The commit is the one that the cache has of the branch, as `resolveSource` takes it, else the newest. Throws what
 * `resolveSource` throws for an id that cannot be looked up.
 */
export async function listRepo(spec: string, options: ResolveOptions): Promise<RepoListing> {
  const source = await parseSource(spec, options.rootDir, options.kind)
  if ('path' in source) throw new IftError('IFT_SOURCE_SPEC', `${spec} is a place on this machine.`)
  const { id, revision } = source
  const cache = new RepoCache(options.cacheDir, options.kind, id)
  const cached = await cache.commitOf(revision)
  const known = cached === null ? null : await cache.readTree(cached)
  if (cached !== null && known !== null) return new RepoListing(id, revision, cached, known, options)
  if (options.offline === true)
    throw new IftError(
      'IFT_SOURCE_OFFLINE',
      `${id}@${revision} is not in ${options.cacheDir}, and ift is offline.`,
      'Fetch it once with the network on (unset HF_HUB_OFFLINE), or name a folder that has the files.',
    )
  const hub = new Hub(id, options)
  const commit = cached ?? (await hub.commit(revision))
  return new RepoListing(id, revision, commit, await hub.tree(commit), options)
}

/** The repository that the text of a dataset's place names, with the path or pattern inside of it; null for a place on this machine. */
export async function repoOf(
  text: string,
  rootDir: string,
): Promise<{ readonly spec: string; readonly inside?: string } | null> {
  if (await stat(localPath(rootDir, text)).catch(() => null)) return null
  const files = await hubFilesOf(text, rootDir)
  if (files) return files
  const source = await parseSource(text, rootDir, 'dataset').catch(() => null)
  return source === null || 'path' in source ? null : { spec: text }
}
