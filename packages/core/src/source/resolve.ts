import { readdir } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { IftError } from '@ift/tensor'
import { looseObject, record, string } from 'zod'
import { isPattern, nearestNames } from '../files/pattern.js'
import { readJson } from '../files/read-json.js'
import { checkFileName, isCommit, RepoCache } from './cache.js'
import { checkSpace, downloadBlob, fileError } from './download.js'
import { Hub } from './hub.js'
import { missingFrom, selectFiles, selectPaths } from './select.js'
import { parseSource } from './spec.js'
import type { HubFile, ResolvedSource, ResolveOptions } from './types.js'

/** An index of shards, {"weight_map": {tensor: file}}. */
const indexShape = looseObject({ weight_map: record(string(), string()) })

/** Files that are fetched at the same time. */
const parallel = 4

/**
 * Finds the files of a model, dataset or adapter: a folder, a file, or a hub id (`org/name`, `org/name@revision`,
 * `hf:…`). Hub files come from the cache when it has all that is wanted, without asking the network; otherwise they are
 * fetched into it, in the layout that Python's huggingface_hub shares.
 *
 * Throws IFT_SOURCE_NOT_FOUND, IFT_SOURCE_SPEC, IFT_SOURCE_GATED, IFT_SOURCE_OFFLINE, IFT_SOURCE_NETWORK,
 * IFT_SOURCE_HASH, IFT_SOURCE_UNSAFE and IFT_DISK_FULL.
 */
export async function resolveSource(spec: string, options: ResolveOptions): Promise<ResolvedSource> {
  const source = await parseSource(spec, options.rootDir, options.kind)
  if ('path' in source) return localSource(source.path, source.isFile, options)
  const { id, revision } = source
  const cache = new RepoCache(options.cacheDir, options.kind, id)
  const cached = await cache.commitOf(revision)
  const resolved = (commit: string, files: readonly string[]): ResolvedSource => ({
    dir: cache.snapshot(commit),
    files: [...files].sort(),
    revision: commit,
    id,
  })

  let missing: readonly string[] = []
  if (cached !== null && (isCommit(revision) || options.refresh !== true || options.offline === true)) {
    const state = await cachedFiles(cache, cached, options)
    if (state.missing.length === 0) return resolved(cached, state.files)
    // The list of the commit is whole: what it does not have is nowhere, also without the net.
    if (options.offline && state.tree && options.patterns && state.files.length === 0)
      throw nothingWanted(id, state.tree, options)
    missing = state.missing
  }
  if (options.offline)
    throw new IftError(
      'IFT_SOURCE_OFFLINE',
      missing.length > 0
        ? `${id} is not complete in ${options.cacheDir}, and ift is offline. Missing: ${listed(missing)}.`
        : `${id}@${revision} is not in ${options.cacheDir}, and ift is offline.`,
      'Fetch it once with the network on (unset HF_HUB_OFFLINE), or name a folder that has the files.',
    )

  const hub = new Hub(id, options)
  const commit = await hub.commit(revision)
  const known = await cache.readTree(commit)
  const tree = known ?? (await hub.tree(commit))
  const wanted = selectFiles(tree, options.kind, options.patterns)
  if (wanted.length === 0 || (options.kind === 'model' && !options.patterns && !hasWeights(wanted)))
    throw nothingWanted(id, tree, options)
  for (const name of options.patterns?.filter((pattern) => !isPattern(pattern)) ?? [])
    if (!wanted.some(({ path }) => path === name))
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `${id}@${revision} has no file ${name}; it has ${nearestNames(
          name,
          tree.map(({ path }) => path),
        )}.`,
        `Its files: ${hub.page}/tree/${revision}`,
      )
  try {
    await fetchAll(hub, cache, commit, wanted, options)
    if (!known) await cache.writeTree(commit, tree)
    // Last, so that a branch never points to a commit without files in the cache.
    await cache.writeRef(revision, commit)
  } catch (cause) {
    throw fileError(cause, cache.dir)
  }
  return resolved(
    commit,
    wanted.map(({ path }) => path),
  )
}

const hasWeights = (files: readonly HubFile[]) =>
  files.some(({ path }) => /\.(safetensors|bin|pt|pth|gguf)$/i.test(path))

const listed = (names: readonly string[]) =>
  names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '')

const nothingWanted = (
  id: string,
  tree: readonly HubFile[],
  { kind, patterns }: ResolveOptions,
): IftError => {
  const gguf = tree.filter(({ path }) => path.toLowerCase().endsWith('.gguf')).map(({ path }) => path)
  return new IftError(
    'IFT_SOURCE_NOT_FOUND',
    patterns
      ? `${id} has no file that matches ${patterns.join(', ')}; it has ${nearestNames(
          patterns[0]!,
          tree.map(({ path }) => path),
        )}.`
      : kind === 'model'
        ? `${id} holds no weights that ift can read (safetensors, .bin or one .gguf); it has ${listed(gguf.length > 0 ? gguf : tree.map(({ path }) => path)) || 'none'}.`
        : `${id} holds no files of a ${kind}; it has ${listed(tree.map(({ path }) => path)) || 'none'}.`,
    gguf.length > 1
      ? 'Fetch the GGUF file that you want and name its path.'
      : 'Check the name of the repository.',
  )
}

/** Files of a commit that are in the cache. */
async function cachedFiles(
  cache: RepoCache,
  commit: string,
  options: ResolveOptions,
): Promise<{ files: string[]; missing: string[]; tree?: readonly HubFile[] }> {
  const { kind, patterns } = options
  const tree = await cache.readTree(commit)
  if (tree) {
    const wanted = selectFiles(tree, kind, patterns)
    const missing: string[] = wanted.length === 0 ? [...(patterns ?? ['files'])] : []
    for (const file of wanted) if (!(await cache.has(commit, file))) missing.push(file.path)
    return { files: wanted.map(({ path }) => path), missing, tree }
  }
  // Another program filled the cache without a list of all files.
  const present = await cache.filesOf(commit)
  const shards: string[] = []
  for (const index of ['model.safetensors.index.json', 'pytorch_model.bin.index.json']) {
    if (!present.includes(index) || shards.length > 0) continue
    try {
      const { weight_map: map } = await readJson(join(cache.snapshot(commit), index), indexShape)
      for (const shard of new Set(Object.values(map))) {
        checkFileName(shard, cache.id)
        shards.push(shard)
      }
    } catch {
      return { files: [], missing: [index] }
    }
  }
  const files = selectPaths(present, kind, patterns)
  // Which files match a glob, or make up a dataset, only the hub knows.
  const open = kind === 'dataset' ? (patterns ?? ['*']) : (patterns ?? [])
  const unsure = options.offline === true ? [] : open.filter(isPattern)
  return { files, missing: [...missingFrom(present, kind, patterns, shards), ...unsure] }
}

async function fetchAll(
  hub: Hub,
  cache: RepoCache,
  commit: string,
  wanted: readonly HubFile[],
  options: ResolveOptions,
): Promise<void> {
  const absent: HubFile[] = []
  for (const file of wanted) if (!(await cache.has(commit, file))) absent.push(file)
  const toFetch: HubFile[] = []
  for (const file of absent) if (!(await cache.hasBlob(file))) toFetch.push(file)
  const totalSize = toFetch.reduce((sum, { size }) => sum + size, 0)
  await checkSpace(cache, toFetch)
  const received = new Map<string, number>()
  const report = (file: HubFile, bytes: number) => {
    received.set(file.path, bytes)
    let totalReceived = 0
    for (const part of received.values()) totalReceived += part
    options.onProgress?.({
      id: hub.id,
      file: file.path,
      received: bytes,
      size: file.size,
      totalReceived,
      totalSize,
    })
  }
  // One failure ends the others; their parts stay for the next time.
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const guarded = new Hub(hub.id, { ...options, signal })
  const queue = [...absent]
  let failure: { readonly cause: unknown } | null = null
  const worker = async () => {
    for (let file = queue.shift(); file && !signal.aborted; file = queue.shift())
      try {
        const current = file
        await downloadBlob(guarded, cache, commit, current, (bytes) => report(current, bytes), signal)
        await cache.link(commit, current)
      } catch (cause) {
        failure ??= { cause }
        stop.abort()
      }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  // TypeScript does not see that the workers assign it.
  const failed = failure as { readonly cause: unknown } | null
  options.signal?.throwIfAborted()
  if (failed) throw failed.cause
}

async function localSource(
  path: string,
  isFile: boolean,
  { kind, patterns }: ResolveOptions,
): Promise<ResolvedSource> {
  if (isFile) return { dir: dirname(path), files: [basename(path)], revision: null, id: null }
  // A model's files lie side by side; a folder of datasets may have folders.
  const recursive = kind === 'dataset' || patterns !== undefined
  const entries = await readdir(path, { recursive, withFileTypes: true })
  const all = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
  return { dir: path, files: patterns ? selectPaths(all, kind, patterns) : all, revision: null, id: null }
}
