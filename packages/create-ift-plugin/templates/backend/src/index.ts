import { defineBackend, type BackendDefinition } from '@ift/core'
import { IftError } from '@ift/tensor'
import { open__Name__ } from './device.js'

/** Devices of the kind, by their number: there is one. */
export const backend: BackendDefinition = {
  name: '__name__',
  open({ index, ranks }) {
    if (index > 0)
      throw new IftError(
        'IFT_BACKEND_UNAVAILABLE',
        `__name__:${index}: there is one device.`,
        '--device __name__',
      )
    if (ranks)
      throw new IftError(
        'IFT_BACKEND_UNAVAILABLE',
        'device __name__: expected one process, found several; it has no collectives.',
        'Start one process, or use another device: --device cpu',
      )
    return Promise.resolve(open__Name__())
  },
}

export const plugin = defineBackend(backend)
