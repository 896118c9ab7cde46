import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { IftError, type LocalRanks, type VerbTerminal } from '@ift/core'
import { namedStarter } from './starter.js'

/** How to run this program again. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
}

/** This process's own command line, without the flags that start ranks. */
export function sameProgram(argv: readonly string[] = process.argv): Program {
  const args: string[] = []
  for (let i = 1; i < argv.length; i++) {
    if (argv[i] === '--nproc') i++
    else if (!argv[i]!.startsWith('--nproc=')) args.push(argv[i]!)
  }
  return { command: argv[0]!, args: [...process.execArgv, ...args] }
}

/** Output only: several ranks cannot share the terminal's input. */
const stdio: StdioOptions = ['ignore', 'inherit', 'inherit']

/** Time that ranks have to end by themselves once one has failed. */
const patience = 5000

/** The first Ctrl-C or hang-up asks the ranks for a checkpoint, the second ends them. */
function forward(children: readonly ChildProcess[], first: NodeJS.Signals): () => void {
  let asked = false
  const onSignal = () => {
    for (const child of children) child.kill(asked ? 'SIGKILL' : first)
    asked = true
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

const codeOf = (code: number | null, signal: NodeJS.Signals | null) =>
  code ?? (signal === 'SIGKILL' ? 137 : signal === 'SIGTERM' ? 143 : 1)

/** Neither MPI's libraries nor the signal that asks ranks for a checkpoint exist on Windows, and NCCL is for Linux. */
function refuseWindows(): void {
  if (process.platform === 'win32')
    throw new IftError(
      'IFT_RANKS_LAUNCHER',
      '--nproc starts several processes, which is done on Linux and macOS; this is Windows.',
      'Leave --nproc out: one process uses all cores. Or run it in WSL.',
    )
}

/** Starts CPU ranks on this machine under mpirun, which ends all of them when one fails. */
export async function startUnderMpi(
  count: number,
  program: Program,
  mpirun = 'mpirun',
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  refuseWindows()
  const flags = ['-n', String(count), '--bind-to', 'none', '--oversubscribe']
  // Open MPI asks for this where a container's only user is root.
  if (process.getuid?.() === 0) flags.push('--allow-run-as-root')
  const child = spawn(mpirun, [...flags, program.command, ...program.args], {
    stdio,
    env: { ...env, ...namedStarter() },
    // In a group of its own Ctrl-C reaches this process alone, which asks for a checkpoint first.
    detached: true,
  })
  // mpirun passes SIGUSR2 on to the ranks; SIGINT would end them within a second.
  const release = forward([child], 'SIGUSR2')
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return codeOf(code, signal)
  } catch (cause) {
    throw new IftError(
      'IFT_RANKS_LAUNCHER',
      `${mpirun} cannot be started: ${cause instanceof Error ? cause.message : String(cause)}`,
      'CPU ranks talk over MPI. Install it: apt-get install openmpi-bin (dnf install openmpi, brew install open-mpi)',
      { cause },
    )
  } finally {
    release()
  }
}

/** GPUs that this process may use: those that the environment names, else those that the system shows. */
export function visibleGpus(env: NodeJS.ProcessEnv = process.env, devices = '/dev'): number {
  const named = env['CUDA_VISIBLE_DEVICES']
  if (named !== undefined) return named.split(',').filter((name) => name !== '' && name !== '-1').length
  return existsSync(devices) ? readdirSync(devices).filter((name) => /^nvidia\d+$/.test(name)).length : 0
}

/** A port of this machine that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts the ranks of this machine as processes that find each other at an address. The first that fails ends all, and
 * its exit code is that of the run.
 */
export async function startLocally(
  count: number,
  node: Pick<LocalRanks, 'nodes' | 'nodeRank' | 'master' | 'runId'>,
  program: Program,
  terminal: VerbTerminal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  refuseWindows()
  const children = Array.from({ length: count }, (_, local) => {
    const rank = node.nodeRank * count + local
    return spawn(program.command, [...program.args], {
      stdio,
      detached: true,
      env: {
        ...env,
        ...namedStarter(),
        IFT_RANK: String(rank),
        IFT_WORLD_SIZE: String(node.nodes * count),
        IFT_LOCAL_RANK: String(local),
        IFT_LOCAL_WORLD_SIZE: String(count),
        IFT_MASTER_ADDR: node.master.host,
        IFT_MASTER_PORT: String(node.master.ports[0]),
        IFT_RUN_ID: node.runId,
      },
    })
  })
  const release = forward(children, 'SIGUSR2')
  const failures: number[] = []
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.all(
      children.map(async (child, local) => {
        const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
        const result = codeOf(code, signal)
        if (result === 0 || failures.push(result) > 1) return
        if (signal) terminal.err(`rank ${node.nodeRank * count + local} was ended by ${signal}\n`)
        // An interrupted run ends by itself, all ranks at one step.
        if (result === 130) return
        timer = setTimeout(() => {
          for (const other of children) other.kill('SIGKILL')
        }, patience)
      }),
    )
    return failures[0] ?? 0
  } finally {
    clearTimeout(timer)
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
    release()
  }
}
