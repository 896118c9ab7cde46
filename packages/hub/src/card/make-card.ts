import { Ift, type LoadOptions } from '@ift/core'
import { findAdapter, type FoundAdapter } from '../find-adapter.js'
import { cardFacts, type CardFacts, type CardOptions } from './facts.js'
import { renderCard } from './render.js'

/** A card that is not written yet. */
export interface MadeCard {
  readonly found: FoundAdapter
  readonly facts: CardFacts
  /** Contents by name: README.md, and the picture that it shows. */
  readonly files: ReadonlyMap<string, string>
}

/** Where an adapter lies, and what its card is to say. */
export interface CardRequest extends CardOptions {
  /** Folder of a run or of an adapter; the config's, or the newest of its runs, when absent. */
  readonly adapter?: string | undefined
}

/**
 * Makes the card of an adapter; nothing is written. IFT_ADAPTER_NOT_FOUND where there is none, IFT_CARD_LICENSE for a licence that its data
 * does not allow.
 */
export async function makeCard(
  session: LoadOptions,
  request: CardRequest,
  note: (text: string) => void = () => undefined,
): Promise<MadeCard> {
  const cwd = session.cwd ?? process.cwd()
  const found = await Ift.using(session, (ift) => findAdapter(ift, cwd, request.adapter))
  const overrides = { ...session.overrides, adapter: found.dir }
  const facts = await Ift.using({ ...session, overrides }, (ift) => cardFacts(ift, found, request, note))
  return { found, facts, files: renderCard(facts) }
}
