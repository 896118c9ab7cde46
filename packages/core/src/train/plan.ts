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

/** The plan with so many layers recomputed, or with as few as make it fit. */
export async function plan(
  { layers, budget, count }: PlanInput,
  recompute: 'auto' | 'all' | 'none' | number,
): Promise<Plan> {
  const planOf = async (recomputeLayers: number): Promise<Plan> => {
    const { weights, training, activations, peak: total, reserved } = await count(recomputeLayers)
    const workspace = total - weights - training - activations
    const fits = budget === null || reserved <= budget
    return { weights, training, activations, workspace, total, recomputeLayers, fits }
  }
  if (typeof recompute === 'number') return planOf(recompute)
  if (recompute === 'all') return planOf(layers)
  let best = await planOf(0)
  if (recompute === 'none' || best.fits) return best
  best = await planOf(layers)
  if (!best.fits) return best
  // More recomputed layers never take more memory: a binary search.
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
