import { z95 } from './estimate.js'

/** `scipy.stats.norm.ppf(0.8)`. */
const z80 = 0.8416212335729143

/**
 * Items on which a true difference of `difference` between two models is found at the 5 % level with a chance of 80 %, where the paired
 * differences have the standard deviation `sd`: ((1.96 + 0.84) · sd / difference)², rounded up.
 */
export const itemsNeeded = (difference: number, sd: number): number =>
  Math.ceil((((z95 + z80) * sd) / difference) ** 2)
