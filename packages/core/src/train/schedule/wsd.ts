import { cosine } from './cosine.js'
import type { Course } from './course.js'
import { linear } from './linear.js'

/** Form of the decay: evenly, along half a cosine, or as 1 - sqrt (Hägele et al. 2024, arXiv:2405.18392). */
export type DecayShape = 'linear' | 'cosine' | 'sqrt'

const shapes: Readonly<Record<DecayShape, Course>> = {
  linear,
  cosine,
  sqrt: (step, steps) => 1 - Math.sqrt(step / steps),
}

/**
 * Warm-up, stable, decay (Hu et al. 2024, arXiv:2404.06395): stays at the peak and falls over the last `decaySteps` steps.
 * Hugging Face's get_wsd_schedule.
 */
export const wsd =
  (decaySteps: number, shape: DecayShape): Course =>
  (step, steps) => {
    const stable = steps - decaySteps
    return step < stable ? 1 : shapes[shape](step - stable, decaySteps)
  }
