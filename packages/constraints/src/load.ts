import { loadAddon } from '@ift/tensor/native'
import type { Addon } from './addon.js'

/** The native add-on. Throws IFT_CONSTRAINT_UNAVAILABLE with what was looked for. */
export const addon = (): Addon =>
  loadAddon({
    what: 'the constraints',
    code: 'IFT_CONSTRAINT_UNAVAILABLE',
    from: import.meta.url,
  }) as Addon
