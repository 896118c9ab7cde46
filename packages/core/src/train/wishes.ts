/**
 * Flags of each rank at a step, summed over ranks with the gradients: asked to stop, interrupted, inputs hashed. All
 * ranks end, and compare their inputs, at the same step.
 */
export const stopCount = 0
export const interruptCount = 1
export const knownCount = 2
export const wishCount = 3
