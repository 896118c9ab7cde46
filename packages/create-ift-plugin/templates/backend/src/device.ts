import type { Backend } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'

/**
 * A device. It begins as the reference, float64 in TypeScript, which has every kernel: put a class of your own that implements `Backend` in
 * its place.
 */
export const open__Name__ = (): Backend => referenceBackend()
