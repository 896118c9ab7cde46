export type SourceKind = 'model' | 'dataset' | 'adapter'

export interface SourceProgress {
  /** Hub id that is being fetched. */
  readonly id: string
  readonly file: string
  /** Bytes of the file that are here, and all of it. */
  readonly received: number
  readonly size: number
  /** Bytes of all files that had to be fetched. */
  readonly totalReceived: number
  readonly totalSize: number
}

export interface ResolveOptions {
  readonly kind: SourceKind
  /** Folder that relative paths start from. */
  readonly rootDir: string
  /** Hub cache in huggingface_hub's layout. */
  readonly cacheDir: string
  /** The hub, 'https://huggingface.co'. */
  readonly endpoint: string
  readonly token?: string | null
  /** Nothing may be fetched. */
  readonly offline?: boolean
  /** Names or shell patterns of the wanted files ('**' goes through folders); by default what the kind needs. */
  readonly patterns?: readonly string[]
  /** Ask the hub again where a branch points, although the cache knows it. */
  readonly refresh?: boolean
  readonly onProgress?: (progress: SourceProgress) => void
  /** In place of the global fetch. */
  readonly fetch?: typeof fetch
  /** Ends everything that is under way; partial files stay for the next time. */
  readonly signal?: AbortSignal
  /** Wait before the first repeat of a failed request; doubled every time. Default 500. */
  readonly retryDelayMs?: number
  /** A connection that is silent for so long counts as broken. Default 30 000. */
  readonly idleTimeoutMs?: number
}

export interface ResolvedSource {
  readonly dir: string
  /** Names inside `dir`, with '/' between folders, sorted. */
  readonly files: readonly string[]
  /** Commit of a hub repository; null for local files. */
  readonly revision: string | null
  /** Hub id; null for local files. */
  readonly id: string | null
}

/** A file of a hub repository. */
export interface HubFile {
  readonly path: string
  readonly size: number
  /** sha256 of a large file, else git's sha1 of the blob; names the blob in the cache. */
  readonly etag: string
  /** git's sha1 of what the repository itself holds: the file, or the pointer to a large one. */
  readonly blobId: string
  /** Key of a large file in chunked storage, kept for others who read the list. */
  readonly xetHash?: string
}
