/**
 * What each rank says at a step, as numbers that go round with its gradients and are summed: how many were asked to stop, were
 * interrupted, and know what they began with. Ranks end, and compare what they began with, at one step.
 */
export const stopCount = 0
export const interruptCount = 1
export const knownCount = 2
export const wishCount = 3
