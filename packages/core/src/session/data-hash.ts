import { createHash } from 'node:crypto'
import type { SampleView } from '../data/mixture/index.js'

/** In front of a hash of stores and numbers of samples; one without it is of all tokens, as earlier versions had it. */
const ofStores = 'stores-1:'

/** In front of a hash of a run that is ordered by rows. */
const ofRows = 'rows-1:'

/** Whether a hash is of a run that was ordered by the numbers of rows, or may be one: of earlier versions it is not. */
export const mayBeByRows = (recorded: string | null): boolean =>
  recorded === null || recorded.startsWith(ofRows)

/** What decides the samples of a run and their order in the data: the stores that they are taken from, and which of them. */
export const dataHash = (views: readonly SampleView[], byRows: boolean): string =>
  (byRows ? ofRows : ofStores) +
  createHash('sha256')
    .update(JSON.stringify(views.map(({ sha256 }) => sha256)))
    .digest('hex')

/** Whether a run's recorded hash is of these samples; that of an earlier version takes a pass over all tokens. */
export const isHashOf = (recorded: string, views: readonly SampleView[], byRows: boolean): boolean =>
  byRows || recorded.startsWith(ofStores)
    ? recorded === dataHash(views, byRows)
    : recorded === tokensHash(views)

/** sha256 of the samples in the order of a first epoch that is not shuffled, and of those that only later epochs take. */
function tokensHash(views: readonly SampleView[]): string {
  const hash = createHash('sha256')
  const add = (samples: SampleView, index: number) => {
    const { ids, labels } = samples.sample(index)
    for (const { buffer, byteOffset, byteLength } of [ids, labels])
      hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  for (const samples of views) {
    const order = samples.order(0, null)
    for (const index of order) add(samples, index)
    hash.update(String(order.length))
    if (samples.whole) continue
    const isTaken = new Uint8Array(samples.count)
    for (const index of order) isTaken[index] = 1
    for (let i = 0; i < samples.count; i++) if (isTaken[i] === 0) add(samples, i)
    hash.update(String(samples.count))
  }
  return hash.digest('hex')
}
