import { inspect } from 'node:util'
import { defineConstraint, IftError, type ConstraintDefinition, type TokenBytes } from '@ift/core'

/** Visible characters of ASCII and the blank: each is one byte, so no token can end inside one. */
const isAllowed = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)

/** Bit `i % 32` of word `i / 32` for every token that `holds`. */
function maskOf(size: number, holds: (id: number) => boolean): Uint32Array {
  const mask = new Uint32Array(Math.ceil(size / 32))
  for (let id = 0; id < size; id++) if (holds(id)) mask[id >>> 5]! |= 1 << (id & 31)
  return mask
}

/** Answers of certain characters alone, such as "0123456789". One that may go on may also end. */
export const constraint: ConstraintDefinition = {
  name: '__name__',
  for: (vocabulary: TokenBytes) =>
    Promise.resolve((value: unknown) => {
      if (!isAllowed(value))
        throw new IftError(
          'IFT_CONSTRAINT',
          `constraint.__name__ expected visible characters of ASCII, found ${inspect(value).slice(0, 80)}.`,
          "{ constraint: { '__name__': '0123456789' } }",
        )
      const allowed = new Set(new TextEncoder().encode(value))
      const mask = maskOf(vocabulary.size, (id) => {
        if (vocabulary.ends.has(id)) return true
        const bytes = vocabulary.bytes(id)
        return bytes !== null && bytes.length > 0 && bytes.every((byte) => allowed.has(byte))
      })
      // What may come next never changes, so that all answers share one mask and have no state.
      const state = { mask: () => mask, accept: () => undefined, ended: false }
      return Promise.resolve({ begin: () => state })
    }),
}

export const plugin = defineConstraint(constraint)
