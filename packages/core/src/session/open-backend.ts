import { IftError, type Backend, type FloatDType } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import type { PluginSession } from '../plugin/session.js'

/** Kinds of devices that `auto` tries, best first. */
const preference = ['cuda', 'cpu']

/** Opens the device that the config asks for; `auto` takes the first whose package is installed and that opens. */
export async function openBackend(session: PluginSession, config: ResolvedConfig): Promise<Backend> {
  const threads = config.threads ?? null
  if (config.device !== 'auto') {
    const match = /^([a-z]+)(?::(\d+))?$/.exec(config.device)
    if (!match)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `device: "${config.device}" is not a device.`,
        'Write auto, cpu, cuda, or cuda:1 for the second GPU.',
      )
    const definition = await session.backend(match[1]!)
    return definition.open({ index: Number(match[2] ?? 0), threads })
  }
  let failure: Error | null = null
  for (const name of preference) {
    const known = session.hooks.backend.find(name) !== undefined || session.installed('kernels', name)
    if (!known) continue
    try {
      return await (await session.backend(name)).open({ index: 0, threads })
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error))
    }
  }
  if (failure) throw failure
  return (await session.backend('cpu')).open({ index: 0, threads })
}

/** Type of weights and activations on a device. */
export const chooseDtype = (config: ResolvedConfig, backend: Backend): FloatDType =>
  config.dtype === 'auto' ? backend.device.preferredDtype : config.dtype
