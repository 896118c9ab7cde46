import type { CountedMemory } from './count-memory.js'

/** Bytes of a training run on its device. */
export interface Plan {
  readonly weights: number
  /** Values of an adapter, f32 masters and gradients of what is trained, the state of optimizer and method, and what the method holds besides. */
  readonly training: number
  /** Held for the backward pass when it begins. */
  readonly activations: number
  /** The most that is there besides, at any time: logits, gradients of activations, a layer that is recomputed. */
  readonly workspace: number
  readonly total: number
  /** What the device needs for `total`, whose blocks may be larger than what is asked for; it must fit. */
  readonly reserved: number
  /** Layers whose activations are recomputed so that the plan fits. */
  readonly recomputeLayers: number
  readonly fits: boolean
}

/** What a plan is made from. */
export interface PlanInput {
  /** Layers of the model. */
  readonly layers: number
  /** Bytes that may be used; null when nothing limits them. */
  readonly budget: number | null
  /** Memory of the run with so many layers recomputed. */
  readonly count: (recomputeLayers: number) => Promise<CountedMemory>
}

/** Whether a device, or what may be used of it, has the memory of a run. */
export const fitsInto = (budget: number | null, { reserved }: Pick<CountedMemory, 'reserved'>): boolean =>
  budget === null || reserved <= budget

/**
 * The plan with so many layers recomputed; `auto` with as few as make it fit, or the smallest that was counted where none fits.
 */
export async function plan(
  { layers, budget, count }: PlanInput,
  recompute: 'auto' | 'all' | 'none' | number,
): Promise<Plan> {
  const planOf = async (recomputeLayers: number): Promise<Plan> => {
    const { weights, training, activations, peak: total, reserved } = await count(recomputeLayers)
    const workspace = total - weights - training - activations
    const fits = fitsInto(budget, { reserved })
    return { weights, training, activations, workspace, total, reserved, recomputeLayers, fits }
  }
  if (typeof recompute === 'number') return planOf(recompute)
  if (recompute === 'all') return planOf(layers)
  const none = await planOf(0)
  if (recompute === 'none' || none.fits) return none
  let best = await planOf(layers)
  // A recomputed layer holds its input besides, which may be more than it saves.
  if (!best.fits) return best.reserved < none.reserved ? best : none
  // The layers from `enough` on fit; those up to `fewer` do not: a binary search between them.
  for (let [fewer, enough] = [0, layers]; enough - fewer > 1;) {
    const middle = (fewer + enough) >> 1
    const found = await planOf(middle)
    if (found.fits) {
      best = found
      enough = middle
    } else fewer = middle
  }
  return best
}
