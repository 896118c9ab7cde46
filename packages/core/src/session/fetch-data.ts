import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { DatasetDefinition } from '../contract/dataset.js'
import { hubSettings } from '../config/env.js'
import { strictObject } from '../config/options.js'
import type { ResolvedConfig } from '../config/schema.js'
import { check } from '../config/validate.js'
import { compositeNames, compositeNotes } from '../data/composites.js'
import { dataFiles, fileOf } from '../data/read/index.js'
import { isPattern } from '../files/pattern.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { listRepo, repoOf, type HubFile, type RepoListing, type SourceProgress } from '../source/index.js'
import { factNotes } from './data-facts.js'
import type { FileSource } from './dataset-info.js'
import { fileOfSplit } from './dataset-split.js'
import { refuseAbsent, withConverted } from './find-datasets.js'
import { fileSources, locateDataset, sourcesOf } from './record-source.js'

/** A file of the hub that a dataset is read from. */
export interface FetchFile {
  /** Hub id of its repository. */
  readonly repo: string
  readonly path: string
  readonly bytes: number
  /** Bytes that are still to come: none of a file that is here, fewer than `bytes` where an earlier attempt ended within it. */
  readonly missing: number
}

/** What is to be fetched of a dataset. */
export interface FetchDataset {
  readonly name: string
  /** The dataset of a package; null of files. */
  readonly facts: DatasetDefinition | null
  readonly files: readonly FetchFile[]
  /** Whether it is read from files that lie on this machine, outside of the cache. */
  readonly isLocal: boolean
  /** Why it cannot be fetched, and where it is to be had. */
  readonly problem: IftError | null
}

export interface FetchProgress {
  /** Hub id and path of the file that arrives. */
  readonly repo: string
  readonly file: string
  /** Bytes of all files that are not here when it begins, with what earlier attempts left of them. */
  readonly received: number
  readonly total: number
}

export interface FetchPlan {
  readonly datasets: readonly FetchDataset[]
  /** Bytes of all files, each once, and those of them that are still to come. */
  readonly bytes: number
  readonly missing: number
  readonly cacheDir: string
  /** What names and selections stand for, licences, and what the sets warn of. */
  readonly notes: readonly string[]
  /**
   * Fetches them, a repository after another. One that cannot be had does not keep the others from it; its error is among those that are
   * returned. Throws IFT_SOURCE_NETWORK and IFT_DISK_FULL, which concern all of them.
   */
  fetch(options?: {
    readonly onProgress?: (progress: FetchProgress) => void
    readonly signal?: AbortSignal
  }): Promise<readonly IftError[]>
}

export interface FetchOptions {
  /** Address of a mirror of the hub; that of HF_ENDPOINT when absent. */
  readonly mirror?: string
}

/** Files of a repository that are wanted, by path. */
interface Wanted {
  readonly listing: RepoListing
  readonly files: Map<string, HubFile>
}

/** Errors that concern every repository, not one of them. */
const isGeneral = (cause: unknown) =>
  !(cause instanceof IftError) ||
  ['IFT_SOURCE_NETWORK', 'IFT_SOURCE_OFFLINE', 'IFT_DISK_FULL', 'IFT_FILE_WRITE'].includes(cause.code)

/** Where a set is published, as its card says. */
const publishedAt = ({ upstream = [] }: DatasetDefinition): string =>
  upstream
    .map(({ hub, url, files }) => {
      const names = files.slice(0, 3).map(({ path }) => path)
      const list = [...names, ...(files.length > 3 ? ['…'] : [])].join(', ')
      return `${url ?? `https://huggingface.co/datasets/${hub ?? ''}`}${list && ` (${list})`}`
    })
    .join('; ')

/** The same error with the place where its files are to be had by hand. */
function withPlace(cause: IftError, known: DatasetDefinition | null): IftError {
  const place = known ? publishedAt(known) : ''
  if (place === '' || cause.code !== 'IFT_SOURCE_NOT_FOUND') return cause
  return new IftError(
    cause.code,
    cause.message,
    `It is published at ${place}. Put its files into a folder: data: { name: "${known!.name}", path: "…" }.`,
    { cause },
  )
}

/** What the card says of a file that the hub lists otherwise. */
function contradiction(known: DatasetDefinition | null, repo: string, file: HubFile): string | null {
  const { bytes, sha256 } = statedOf(known, repo, file.path)
  if (bytes !== undefined && bytes !== file.size)
    return `${file.path} of ${repo} has ${file.size} bytes, expected ${bytes} by the card of the dataset`
  if (sha256 !== undefined && file.etag.length === 64 && sha256 !== file.etag)
    return `${file.path} of ${repo} has the sha256 ${file.etag}, expected ${sha256} by the card of the dataset`
  return null
}

const statedOf = (known: DatasetDefinition | null, repo: string, path: string) =>
  (known?.upstream ?? [])
    .filter(({ hub }) => hub === repo)
    .flatMap(({ files }) => files)
    .find((one) => one.path === path) ?? { bytes: undefined, sha256: undefined }

const changed = (name: string, what: string, repo: string) =>
  new IftError(
    'IFT_SOURCE_HASH',
    `The dataset ${name}: ${what}.`,
    `It was published anew, or changed on the way. To take it as it is: data: { path: "${repo}" }.`,
  )

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Repositories that were looked at, and the files of them that are wanted. */
class Repositories {
  readonly #listings = new Map<string, Promise<RepoListing>>()
  readonly wanted = new Map<RepoListing, Wanted>()

  constructor(
    readonly rootDir: string,
    readonly settings: ReturnType<typeof hubSettings>,
  ) {}

  /** Files that patterns name in a repository, or all of its data. Throws IFT_SOURCE_NOT_FOUND where there is none. */
  async find(spec: string, patterns: readonly string[] | undefined) {
    if (!this.#listings.has(spec))
      this.#listings.set(spec, listRepo(spec, { kind: 'dataset', rootDir: this.rootDir, ...this.settings }))
    const listing = await this.#listings.get(spec)!
    const wanted = this.wanted.get(listing) ?? { listing, files: new Map<string, HubFile>() }
    // Also where it has none of the files: that it has none is known without the net then.
    this.wanted.set(listing, wanted)
    const files = listing.wanted(patterns)
    for (const file of files) wanted.files.set(file.path, file)
    return { listing, files }
  }
}

type Found = Pick<FetchDataset, 'isLocal'> & {
  readonly files: readonly (HubFile & { readonly repo: string })[]
}

/** The files that a source is read from: of the hub those of its repositories, looked for as training looks for them. */
async function filesOf(session: PluginSession, source: FileSource, repos: Repositories): Promise<Found> {
  const { rootDir } = session
  const files: (HubFile & { repo: string })[] = []
  let isLocal = false
  /** A place in a repository, or on this machine. */
  const look = async (place: string, patterns: readonly string[] | undefined): Promise<string> => {
    const repo = await repoOf(place, rootDir)
    if (repo === null) {
      const path = await locateDataset(rootDir, place, patterns)
      if (isPattern(path) || fileOf(path).entry !== null) await dataFiles(path)
      isLocal = true
      return path
    }
    const found = await repos.find(repo.spec, repo.inside === undefined ? patterns : [repo.inside])
    files.push(...found.files.map((file) => ({ ...file, repo: found.listing.id })))
    return `${repo.spec}/${repo.inside ?? (found.files.length === 1 ? found.files[0]!.path : String(patterns))}`
  }
  const { name, path, split = 'train', options } = source
  if (name === undefined) await look(path!, undefined)
  else {
    const definition = await session.dataset(name)
    if (definition.files === undefined)
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `The dataset ${name} does not say which files it reads.`,
        'Training fetches them when it reads them.',
      )
    const settings = check(
      definition.options ?? strictObject({}),
      options ?? {},
      `What data sets for ${name}`,
      'options',
    )
    await definition.files({
      rootDir,
      seed: 0,
      ...(split === 'train' ? {} : { split }),
      options: settings,
      file: async (asked, hub = definition.hub, { everySplit = false } = {}) => {
        const wanted = everySplit ? asked : fileOfSplit(name, asked, split)
        if (path === undefined || (await repoOf(path, rootDir)) !== null)
          return look(path ?? hub ?? `./${wanted}`, [wanted])
        const base = await locateDataset(rootDir, path, [wanted])
        return look(base.endsWith(wanted) ? base : join(base, wanted), [wanted])
      },
    })
  }
  return { files, isLocal }
}

/**
 * What would be fetched of entries of data: the same files as training reads, into the hub's cache, where it finds them without the net.
 * Asks the hub for lists of files only. Throws IFT_PLUGIN_NOT_FOUND for datasets whose packages are not installed.
 */
export async function planFetch(
  session: PluginSession,
  entries: ResolvedConfig['data'],
  { mirror }: FetchOptions = {},
): Promise<FetchPlan> {
  const own = hubSettings()
  const settings = mirror === undefined ? own : { ...own, endpoint: mirror.replace(/\/+$/, '') }
  const repos = new Repositories(session.rootDir, settings)
  const sources = (await fileSources(session.rootDir, entries)).flatMap((one) => withConverted(session, one))
  refuseAbsent(session, sources)
  const datasets: FetchDataset[] = []
  for (const source of sources) {
    const { name, path } = source
    if (name !== undefined && !session.provides('dataset', name))
      throw session.notFound('dataset', name, [...session.hooks.dataset.names(), ...compositeNames])
    const facts = name === undefined ? null : await session.dataset(name)
    const shown = { name: name ?? path!, facts }
    try {
      const { files, isLocal } = await filesOf(session, source, repos)
      let problem: IftError | null = null
      const sized: FetchFile[] = []
      for (const file of new Map(files.map((one) => [`${one.repo}/${one.path}`, one])).values()) {
        const { repo, path: inside, size } = file
        const { listing } = [...repos.wanted.values()].find(({ listing: { id } }) => id === repo)!
        sized.push({ repo, path: inside, bytes: size, missing: await listing.missing(file) })
        const found = contradiction(facts, repo, file)
        if (found !== null) problem ??= changed(shown.name, found, repo)
      }
      datasets.push({ ...shown, files: problem ? [] : sized, isLocal, problem })
    } catch (cause) {
      if (isGeneral(cause)) throw cause
      const problem = withPlace(cause as IftError, facts)
      datasets.push({ ...shown, files: [], isLocal: false, problem })
    }
  }
  const once = new Map(datasets.flatMap(({ files }) => files.map((one) => [`${one.repo}/${one.path}`, one])))
  const sum = (of: 'bytes' | 'missing') => [...once.values()].reduce((total, one) => total + one[of], 0)
  return {
    notes: [...compositeNotes(sourcesOf(entries)), ...factNotes(datasets.flatMap((one) => one.facts ?? []))],
    ...{ datasets, bytes: sum('bytes'), missing: sum('missing'), cacheDir: settings.cacheDir },
    fetch: async ({ onProgress, signal } = {}) => {
      const problems: IftError[] = []
      const absent = [...once.values()].filter(({ missing }) => missing > 0)
      const total = absent.reduce((bytes, one) => bytes + one.bytes, 0)
      let before = 0
      for (const { listing, files } of repos.wanted.values()) {
        const wanted = [...files.values()].filter(({ path }) => once.has(`${listing.id}/${path}`))
        const report = ({ id: repo, file, totalReceived }: SourceProgress) =>
          onProgress?.({ repo, file, received: before + totalReceived, total })
        try {
          const source = await listing.fetch(wanted, { onProgress: report, ...(signal && { signal }) })
          if (source) problems.push(...(await unlike(datasets, listing, source.dir)))
        } catch (cause) {
          if (isGeneral(cause)) throw cause
          problems.push(cause as IftError)
        }
        for (const one of absent) if (one.repo === listing.id) before += one.bytes
      }
      return problems
    },
  }
}

/** Fetched files whose sha256 the hub does not tell, and that are not what the card says. */
async function unlike(
  datasets: readonly FetchDataset[],
  { id, tree }: RepoListing,
  dir: string,
): Promise<IftError[]> {
  const problems: IftError[] = []
  for (const { name, facts, files } of datasets)
    for (const { repo, path } of files) {
      const { sha256 } = statedOf(facts, repo, path)
      if (repo !== id || sha256 === undefined || tree.find((one) => one.path === path)?.etag.length === 64)
        continue
      const found = await sha256Of(join(dir, path))
      if (found !== sha256)
        problems.push(
          changed(
            name,
            `${path} of ${repo} has the sha256 ${found}, expected ${sha256} by the card of the dataset`,
            repo,
          ),
        )
    }
  return problems
}
