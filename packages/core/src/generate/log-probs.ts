import type { TokenLogProb } from '../contract/generate.js'
import { logSoftmax, topIndices } from './processors.js'

/** The log-probability of `id` among scores f32 [vocab], and those of the `count` likeliest ids. */
export function tokenLogProb(scores: Float32Array, id: number, count: number): TokenLogProb {
  const logs = scores.slice()
  logSoftmax(logs)
  const of = (id: number) => ({ id, logprob: logs[id]! })
  return { ...of(id), top: count > 0 ? topIndices(logs, count).map(of) : [] }
}
