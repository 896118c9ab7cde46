import { loadAddon } from '@ift/tensor/native'

import type { Addon } from './addon.js'

/** The native add-on. Throws `IFT_BACKEND_UNAVAILABLE` with what was looked for. */
export const addon = (): Addon =>
  loadAddon({
    what: 'the CPU backend',
    code: 'IFT_BACKEND_UNAVAILABLE',
    from: import.meta.url,
  }) as Addon
