import { ignoredLabel } from '../encode.js'
import { SampleStoreBuilder } from '../store/index.js'
import type { Portion } from './amounts.js'
import type { MixturePart } from './mixture.js'
import type { SampleView } from './sample-view.js'

const none = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }

/** Samples that begin with `first`, `first + 1`, …; after `repeat` of them their tokens come again. */
export function part(
  name: string,
  first: number,
  count: number,
  portion: Portion = {},
  repeat = count,
  length: (index: number) => number = () => 3,
): MixturePart {
  const builder = new SampleStoreBuilder()
  for (let i = 0; i < count; i++) {
    const ids = new Int32Array(length(i)).fill(7)
    ids[0] = first + (i % repeat)
    builder.add({ ids, labels: ids.map((id, at) => (at === 0 ? ignoredLabel : id)) })
  }
  return { name, samples: builder.build(none), ...portion }
}

/** First tokens of an epoch, in the order of the data without a seed. */
export const firsts = (view: SampleView, epoch = 0, seed: number | null = null): number[] =>
  Array.from(view.order(epoch, seed), (index) => view.sample(index).ids[0]!)
