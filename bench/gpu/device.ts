import { openCpu, plugin as cpu } from '@ift/kernels-cpu'
import { openCuda, plugin as cuda } from '@ift/kernels-cuda'
import type { Backend } from '@ift/tensor'
import type { IftPlugin } from '@ift/core'
import { openEmulated } from '../../packages/kernels-cuda/src/emulated.fixture.js'

/** The measured device: a GPU, the processor beside it, or an emulated GPU for a dry run. */
export type DeviceName = 'cuda' | 'cpu' | 'emulated'

export function deviceName(text: string): DeviceName {
  if (text === 'cuda' || text === 'cpu' || text === 'emulated') return text
  throw new Error(`--device ${text}: expected cuda, cpu or emulated`)
}

export function openDevice(name: DeviceName): Backend {
  return name === 'cpu' ? openCpu() : openGpu(name)
}

export const openGpu = (name: Exclude<DeviceName, 'cpu'>) => (name === 'cuda' ? openCuda() : openEmulated())

/** Whether a number still comes back from the device. */
export async function isUsable(name: DeviceName): Promise<boolean> {
  try {
    const backend = openDevice(name)
    try {
      const buf = backend.alloc(4)
      backend.fill(buf, 7, 1, 'f32')
      const found = new Float32Array(1)
      await backend.read(buf, found)
      return found[0] === 7
    } finally {
      backend.close()
    }
  } catch {
    return false
  }
}

/** The device as a plugin of a session, and its name in the config. */
export function devicePlugin(name: DeviceName): { plugin: IftPlugin; device: string } {
  if (name === 'cpu') return { plugin: cpu, device: 'cpu' }
  if (name === 'cuda') return { plugin: cuda, device: 'cuda' }
  const emulated: IftPlugin = {
    name: 'backend:emulated',
    api: 1,
    apply({ hooks }) {
      hooks.backend.for('cuda').tap('emulated', () => ({
        name: 'cuda',
        open: () => Promise.resolve(openEmulated()),
      }))
    },
  }
  return { plugin: emulated, device: 'cuda' }
}
