import { IftError } from '@ift/tensor'
import { expandCounts, expandNodeList } from './node-list.js'
import type { LocalRanks, MasterAddress, MpiKind, Placement, RankPlace } from '../contract/ranks.js'

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One launcher with its variables. */
interface Launcher {
  readonly name: string
  /** Whether the variables are there. */
  readonly present: (env: Environment) => boolean
  readonly read: (env: Variables) => Partial<Omit<RankPlace, 'launcher'>> | Omit<LocalRanks, 'launcher'>
}

const defaultPort = 29500

const fault = (launcher: string, message: string, hint?: string) =>
  new IftError(
    'IFT_RANKS_ENVIRONMENT',
    `${launcher}: ${message}`,
    hint ??
      'Start the ranks with one launcher, or say which rank this is: IFT_RANK, IFT_WORLD_SIZE, IFT_LOCAL_RANK.',
  )

/** Reads the variables of a launcher; a value that is not what it should be is an error that names it. */
class Variables {
  constructor(
    readonly launcher: string,
    readonly env: Environment,
  ) {}

  text(name: string): string {
    const value = this.env[name]
    if (!value) throw fault(this.launcher, `${name} is not set.`)
    return value
  }

  maybe(name: string): number | undefined {
    const value = this.env[name]
    if (value === undefined || value === '') return undefined
    if (!/^\d{1,9}$/.test(value))
      throw fault(this.launcher, `${name} is "${value}", expected a whole number from 0.`)
    return Number(value)
  }

  count(name: string): number {
    const value = this.maybe(name)
    if (value === undefined) throw fault(this.launcher, `${name} is not set.`)
    return value
  }

  port(name: string, fallback?: number): number {
    const port = this.maybe(name) ?? fallback ?? this.count(name)
    if (port < 1 || port > 65535)
      throw fault(this.launcher, `${name} is ${port}, expected a port from 1 to 65535.`)
    return port
  }
}

/** Whether a variable is set to anything. */
const has =
  (...names: string[]) =>
  (env: Environment) =>
    names.every((name) => !!env[name])

const listen = (host: string, port: number): MasterAddress => ({ host, ports: [port] })

/** In order of precedence. */
const launchers: readonly Launcher[] = [
  {
    name: 'IFT_* variables',
    present: (env) => has('IFT_RANK')(env) || has('IFT_WORLD_SIZE')(env),
    read: (env) => {
      const host = env.env['IFT_MASTER_ADDR']
      return {
        rank: env.count('IFT_RANK'),
        worldSize: env.count('IFT_WORLD_SIZE'),
        localRank: env.maybe('IFT_LOCAL_RANK') ?? env.count('IFT_RANK'),
        localSize: env.maybe('IFT_LOCAL_WORLD_SIZE') ?? null,
        master: host ? listen(host, env.port('IFT_MASTER_PORT', defaultPort)) : null,
        runId: env.env['IFT_RUN_ID'] ?? 'ift',
      }
    },
  },
  {
    name: 'torchrun',
    present: (env) => has('RANK', 'LOCAL_RANK')(env) || has('TORCHELASTIC_RUN_ID')(env),
    read: (env) => {
      const port = env.port('MASTER_PORT')
      // The agent keeps its own store at the port: rank 0 takes one of those behind it.
      const agent = /^true$/i.test(env.env['TORCHELASTIC_USE_AGENT_STORE'] ?? '')
      const ports = agent ? [1, 2, 3, 4].map((i) => port + i).filter((p) => p < 65536) : [port]
      return {
        rank: env.count('RANK'),
        worldSize: env.count('WORLD_SIZE'),
        localRank: env.count('LOCAL_RANK'),
        localSize: env.maybe('LOCAL_WORLD_SIZE') ?? null,
        master: { host: env.text('MASTER_ADDR'), ports },
        runId: `${env.env['TORCHELASTIC_RUN_ID'] ?? 'torchrun'}.${env.env['TORCHELASTIC_RESTART_COUNT'] ?? 0}`,
      }
    },
  },
  {
    name: 'Open MPI',
    present: has('OMPI_COMM_WORLD_RANK'),
    read: (env) => ({
      rank: env.count('OMPI_COMM_WORLD_RANK'),
      worldSize: env.count('OMPI_COMM_WORLD_SIZE'),
      localRank: env.count('OMPI_COMM_WORLD_LOCAL_RANK'),
      localSize: env.maybe('OMPI_COMM_WORLD_LOCAL_SIZE') ?? null,
    }),
  },
  {
    name: 'MPICH',
    present: has('PMI_RANK'),
    read: (env) => ({
      rank: env.count('PMI_RANK'),
      worldSize: env.count('PMI_SIZE'),
      localRank: env.maybe('MPI_LOCALRANKID') ?? env.maybe('SLURM_LOCALID') ?? env.count('PMI_RANK'),
      localSize: env.maybe('MPI_LOCALNRANKS') ?? null,
    }),
  },
  {
    name: 'Slurm',
    // A batch script has a rank and a number of tasks too; only a step has a number of its own.
    present: has('SLURM_PROCID', 'SLURM_STEP_NUM_TASKS'),
    read: (env) => {
      const nodes = expandNodeList(env.text('SLURM_STEP_NODELIST'))
      const perNode = env.env['SLURM_STEP_TASKS_PER_NODE']
      const job = env.count('SLURM_JOB_ID')
      return {
        rank: env.count('SLURM_PROCID'),
        worldSize: env.count('SLURM_STEP_NUM_TASKS'),
        localRank: env.count('SLURM_LOCALID'),
        localSize: perNode ? (expandCounts(perNode)[env.count('SLURM_NODEID')] ?? null) : null,
        // Below the ports that systems hand out by themselves.
        master: listen(nodes[0]!, 20000 + (job % 10000)),
        runId: `slurm-${job}.${env.env['SLURM_STEP_ID'] ?? 0}`,
      }
    },
  },
  {
    name: 'Kubeflow Trainer',
    present: has('PET_NNODES'),
    read: (env) => {
      const nodes = env.text('PET_NNODES')
      if (!/^\d+$/.test(nodes))
        throw fault(
          env.launcher,
          `PET_NNODES is "${nodes}", expected a whole number: the ranks of a run are fixed.`,
        )
      const perNode = env.env['PET_NPROC_PER_NODE'] ?? 'auto'
      return {
        nodes: Number(nodes),
        nodeRank: env.maybe('PET_NODE_RANK') ?? 0,
        perNode:
          perNode === 'auto' || perNode === 'gpu' || perNode === 'cpu'
            ? perNode
            : env.count('PET_NPROC_PER_NODE'),
        master: listen(env.text('PET_MASTER_ADDR'), env.port('PET_MASTER_PORT', defaultPort)),
        runId: env.env['PET_RDZV_ID'] ?? 'kubeflow',
      }
    },
  },
  {
    name: 'PyTorchJob',
    // Its ranks are those of pods: each starts one rank for each of its GPUs.
    present: (env) => has('RANK', 'WORLD_SIZE')(env) || Number(env['WORLD_SIZE'] ?? 1) > 1,
    read: (env) => {
      const nodes = env.count('WORLD_SIZE')
      return {
        nodes,
        nodeRank: env.count('RANK'),
        perNode: 'auto',
        master:
          nodes > 1
            ? listen(env.text('MASTER_ADDR'), env.port('MASTER_PORT'))
            : listen(env.env['MASTER_ADDR'] ?? '127.0.0.1', env.port('MASTER_PORT', defaultPort)),
        runId: 'pytorchjob',
      }
    },
  },
]

/** The MPI library that started a process, from its variables alone. */
function mpiOf(env: Environment, rank: number, launcher: string): MpiKind | null {
  const rows = [
    ['OMPI_COMM_WORLD_RANK', 'openmpi'],
    ['PMIX_RANK', 'openmpi'],
    ['PMI_RANK', 'mpich'],
  ] as const
  for (const [name, kind] of rows) {
    const theirs = new Variables(launcher, env).maybe(name)
    if (theirs === undefined) continue
    if (theirs !== rank)
      throw fault(
        launcher,
        `this is rank ${rank} by its variables and rank ${theirs} by ${name}: two launchers are at work.`,
      )
    return kind
  }
  return null
}

/**
 * Place of this process among ranks, from its environment: the first launcher of the table that matches. A run of one
 * rank has no ranks. Throws `IFT_RANKS_ENVIRONMENT` for values that are missing, malformed or at odds.
 */
export function placement(env: Environment): Placement {
  const launcher = launchers.find(({ present }) => present(env))
  if (!launcher) return { kind: 'single' }
  const { name } = launcher
  const found = launcher.read(new Variables(name, env))
  if ('nodes' in found) {
    if (found.nodes < 1) throw fault(name, `the number of machines is ${found.nodes}.`)
    if (found.nodeRank >= found.nodes)
      throw fault(name, `this is machine ${found.nodeRank} of ${found.nodes}, counted from 0.`)
    if (found.perNode === 0) throw fault(name, 'the number of ranks a machine is 0.')
    const alone = found.nodes === 1 && (found.perNode === 1 || name === 'PyTorchJob')
    return alone ? { kind: 'single' } : { kind: 'start', local: { launcher: name, ...found } }
  }
  const { rank = 0, worldSize = 1, localRank = rank, localSize = null, master = null, runId = 'ift' } = found
  if (worldSize < 1 || rank >= worldSize)
    throw fault(name, `this is rank ${rank} of ${worldSize}; ranks count from 0.`)
  if (localSize !== null && (localRank >= localSize || localSize > worldSize))
    throw fault(name, `this is local rank ${localRank} of ${localSize} in a run of ${worldSize} ranks.`)
  if (worldSize === 1) return { kind: 'single' }
  const mpi = mpiOf(env, rank, name)
  if (mpi === null && master === null)
    throw fault(
      name,
      'the address of rank 0 is missing.',
      'Set it on every rank: export IFT_MASTER_ADDR=HOST IFT_MASTER_PORT=29500',
    )
  const visible = (env['CUDA_VISIBLE_DEVICES'] ?? '').split(',').filter(Boolean).length
  const place = { launcher: name, rank, worldSize, localRank, localSize, mpi, master, runId }
  return { kind: 'rank', place: { ...place, device: visible === 1 ? 0 : localRank } }
}
