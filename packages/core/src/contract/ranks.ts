/** Which MPI library started a process. */
export type MpiKind = 'openmpi' | 'mpich'

/** Where rank 0 listens. It takes the first port that is free; the others find it by its handshake. */
export interface MasterAddress {
  readonly host: string
  readonly ports: readonly number[]
}

/** The place of this process among the ranks of a run. */
export interface RankPlace {
  /** Name of the launcher, for messages. */
  readonly launcher: string
  readonly rank: number
  readonly worldSize: number
  /** Index among the ranks of this machine. */
  readonly localRank: number
  /** Ranks on this machine; null when the launcher does not say. */
  readonly localSize: number | null
  /** Index of the GPU: the local rank, or 0 when the launcher leaves one visible. */
  readonly device: number
  /** MPI library of the launcher; null under a launcher without MPI. */
  readonly mpi: MpiKind | null
  /** Null under MPI launchers, whose ranks find each other by MPI. */
  readonly master: MasterAddress | null
  /** The same on all ranks of a run and another for the next run at the same address. */
  readonly runId: string
}

/** A launcher starts one process a machine, which starts the ranks of the machine itself. */
export interface LocalRanks {
  readonly launcher: string
  readonly nodes: number
  readonly nodeRank: number
  /** Ranks a machine; gpu, cpu and auto ask for one for each device of the kind. */
  readonly perNode: number | 'auto' | 'gpu' | 'cpu'
  readonly master: MasterAddress
  readonly runId: string
}

/** Role of this process by its environment: alone, one rank of several, or the starter of the ranks of its machine. */
export type Placement =
  | { readonly kind: 'single' }
  | { readonly kind: 'rank'; readonly place: RankPlace }
  | { readonly kind: 'start'; readonly local: LocalRanks }
