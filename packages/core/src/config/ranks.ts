import { placement } from '../distributed/launchers.js'
import type { Placement } from '../contract/ranks.js'

/** Place of this process among the ranks of a run, from its environment. */
export const rankPlacement = (env: Readonly<Record<string, string | undefined>> = process.env): Placement =>
  placement(env)
