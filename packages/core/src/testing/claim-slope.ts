import type { Backend, Parameter, Tensor } from '@ift/tensor'
import { claimClose } from './claim.js'

/** Relative and absolute difference of the two slopes. */
const tolerance = 1e-5

/**
 * Fails unless the gradients that the parameters have give the slope of the loss along one random direction through all of them, by
 * central differences. `loss` computes it anew, [1], without a tape; the backend reckons in float64, so that steps can be small.
 */
export async function claimSlope(
  backend: Backend,
  parameters: Iterable<Parameter>,
  loss: () => Tensor,
): Promise<void> {
  let state = 5
  let slope = 0
  const moves: { readonly value: Tensor; original: Float64Array; direction: Float64Array }[] = []
  for (const { value, grad } of parameters) {
    const original = new Float64Array(value.size)
    await backend.read(value.buf, original)
    const gradient = new Float64Array(value.size)
    if (grad !== null) await backend.read(grad.buf, gradient)
    const direction = gradient.map((g) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      const d = state / 2 ** 31 - 1
      slope += g * d
      return d
    })
    moves.push({ value, original, direction })
  }
  const lossAt = async (step: number): Promise<number> => {
    for (const { value, original, direction } of moves)
      backend.write(
        value.buf,
        original.map((w, i) => w + step * direction[i]!),
      )
    const found = new Float64Array(1)
    const tensor = loss()
    await backend.read(tensor.buf, found)
    tensor.release()
    return found[0]!
  }
  const slopeAt = async (h: number) => ((await lossAt(h)) - (await lossAt(-h))) / (2 * h)
  let numeric = await slopeAt(1e-5)
  // A step across the kink of a relu gives the mean of two slopes; a shorter one stays on its side.
  for (const h of [1e-6, 1e-7])
    if (Math.abs(slope - numeric) > tolerance * (1 + Math.abs(numeric))) numeric = await slopeAt(h)
  claimClose('slope of the loss along a random direction', [slope], [numeric], tolerance)
}
