import { placement } from '../distributed/launchers.js'
import type { Placement } from '../contract/ranks.js'

/** What the environment of this process says of its place among the ranks of a run. */
export const rankPlacement = (env: Readonly<Record<string, string | undefined>> = process.env): Placement =>
  placement(env)
