import { IftError, type Backend, type FloatDType } from '@ift/tensor'
import type { RankPlace } from '../contract/ranks.js'
import type { RankRequest } from '../contract/index.js'
import type { ResolvedConfig } from '../config/schema.js'
import { expandHome } from '../files/paths.js'
import type { PluginSession } from '../plugin/plugin-session.js'

/** Kinds of devices that `auto` tries, best first: what packages say of themselves, then what is registered without one. */
function preferred(session: PluginSession): string[] {
  const preference = new Map(session.hooks.backend.names().map((name) => [name, 0]))
  for (const { provides } of session.packages())
    for (const [name, facts] of Object.entries(provides.backend))
      if (facts.preference !== undefined) preference.set(name, facts.preference)
  return [...preference].sort(([, a], [, b]) => b - a).map(([name]) => name)
}

/** How a device joins ranks that its own library cannot find. */
export interface Joining {
  readonly place: RankPlace
  readonly exchange: RankRequest['exchange']
}

/** Options for a device of this kind to join the ranks; CPU ranks without MPI are refused with the command to use. */
function rankRequest(kind: string, { place, exchange }: Joining, { ranks }: ResolvedConfig): RankRequest {
  if (kind === 'cpu' && place.mpi === null)
    throw new IftError(
      'IFT_RANKS_NO_MPI',
      `${place.launcher} started rank ${place.rank} of ${place.worldSize} without MPI, over which CPU ranks talk.`,
      `npx ift train --nproc ${place.worldSize} (or: mpirun -n ${place.worldSize} npx ift train; srun --mpi=pmix npx ift train)`,
    )
  const named = kind === 'cpu' ? ranks.mpi : ranks.nccl
  const library = named === undefined ? null : expandHome(named)
  return { place, timeout: ranks.timeout, library, exchange }
}

/**
 * Opens the device that the config asks for; `auto` takes the first whose package is installed and that opens. With a
 * place among ranks the device joins them, and each rank takes the device of its place unless the config names one.
 */
export async function openBackend(
  session: PluginSession,
  config: ResolvedConfig,
  joining: Joining | null = null,
): Promise<Backend> {
  const threads = config.threads ?? null
  const request = (kind: string, index = joining?.place.device ?? 0) => ({
    index,
    threads,
    ...(joining ? { ranks: rankRequest(kind, joining, config) } : {}),
  })
  if (config.device !== 'auto') {
    const match = /^([a-z]+)(?::(\d+))?$/.exec(config.device)
    if (!match)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `device: "${config.device}" is not a device.`,
        'Write auto, cpu, cuda, or cuda:1 for the second GPU.',
      )
    const definition = await session.backend(match[1]!)
    return definition.open(request(match[1]!, match[2] === undefined ? undefined : Number(match[2])))
  }
  let failure: Error | null = null
  for (const name of preferred(session)) {
    try {
      return await (await session.backend(name)).open(request(name))
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error))
    }
  }
  if (failure) throw failure
  return (await session.backend('cpu')).open(request('cpu'))
}

/** Type of weights and activations on a device. */
export const chooseDtype = (config: ResolvedConfig, backend: Backend): FloatDType =>
  config.dtype === 'auto' ? backend.device.preferredDtype : config.dtype
