import { IftError } from '@ift/core'

/** Something that an adapter is made of, with what its licence asks. */
export interface Licensed {
  readonly name: string
  /** SPDX identifier or name of the licence; null where nobody states one. */
  readonly license: string | null
  /** What whoever knows the source says; the text of a known licence decides where it is absent. */
  readonly commercial?: boolean | undefined
  readonly shareAlike?: boolean | undefined
}

interface Terms {
  readonly commercial: boolean
  readonly shareAlike: boolean
  readonly derivatives: boolean
  /** Whether anything is asked at all, be it a name. */
  readonly notice: boolean
}

const free: Terms = { commercial: true, shareAlike: false, derivatives: true, notice: false }
const notice: Terms = { ...free, notice: true }
const copyleft: Terms = { ...notice, shareAlike: true }

const plain = (license: string) => license.trim().toLowerCase().replaceAll(' ', '-')

/** Terms of the licences that data and models are published under; null for one that has terms of its own. */
function termsOf(license: string): Terms | null {
  const id = plain(license)
  if (/^(cc0(-1\.0)?|unlicense|pddl(-1\.0)?|0bsd)$/.test(id)) return free
  if (
    /^(mit|isc|apache-2\.0|bsd(-[234]-clause)?|zlib|afl-3\.0|ecl-2\.0|ncsa|postgresql|odc-by(-1\.0)?|cdla-permissive-[12]\.0)$/.test(
      id,
    )
  )
    return notice
  if (
    /^(a?gpl|lgpl|mpl|odbl|osl|epl|eupl|gfdl|cdla-sharing|cc-by-sa)(-\d(\.\d)?)?(-only|-or-later)?\b/.test(id)
  )
    return copyleft
  const creative = /^cc-by((?:-(?:nc|sa|nd))*)(?:-\d\.\d)?$/.exec(id)
  if (!creative) return null
  const parts = creative[1]!.split('-')
  return {
    commercial: !parts.includes('nc'),
    shareAlike: parts.includes('sa'),
    derivatives: !parts.includes('nd'),
    notice: true,
  }
}

/** Terms of a source: what is said of it, else those of its licence. */
function asks({ license, commercial, shareAlike }: Licensed): Partial<Terms> {
  const terms = license === null ? null : termsOf(license)
  return {
    ...terms,
    ...(commercial === undefined ? {} : { commercial }),
    ...(shareAlike === undefined ? {} : { shareAlike }),
  }
}

/** How much a source asks; what nobody states is not known to ask anything. */
function weight(one: Licensed): number {
  if (one.license === null) return 0
  const terms = asks(one)
  const own = termsOf(one.license) === null ? 2 : 0
  return (
    (terms.notice === true ? 1 : 0) +
    own +
    (terms.shareAlike === true ? 4 : 0) +
    (terms.commercial === false ? 8 : 0) +
    (terms.derivatives === false ? 16 : 0)
  )
}

/** Identifiers that the hub knows (huggingface.co/docs/hub/repositories-licenses). */
const hubIds = new Set(
  `apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
  artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
  cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
  cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
  eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0
  postgresql ofl-1.1 ncsa unlicense zlib pddl gemma llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 unknown other`.split(
    /\s+/,
  ),
)

/** What the head of a card says of the licence. */
export interface HeadLicence {
  /** As the hub writes it: an identifier that it knows, or `other`. */
  readonly license: string
  /** Beside `other`. */
  readonly license_name?: string
}

export interface CombinedLicence {
  /** Absent where nobody states a licence, and none was asked for. */
  readonly head: HeadLicence | null
  /** Paragraphs for the card. */
  readonly text: readonly string[]
}

function headOf(license: string): HeadLicence {
  const id = plain(license).replace(/-(only|or-later)$/, '')
  return hubIds.has(id)
    ? { license: id }
    : { license: 'other', license_name: id.replaceAll(/[^\w.+-]+/g, '-').slice(0, 100) }
}

const listed = (of: readonly Licensed[]) => of.map(({ name, license }) => `${name} (${license})`).join(', ')

/** Refuses a licence that allows what a source forbids. */
function refuse(asked: string, sources: readonly Licensed[]): void {
  const terms = termsOf(asked)
  // Somebody's own terms may say the same; whoever names them answers for it.
  if (terms === null) return
  const strict = sources.filter(
    (one) =>
      one.license !== null &&
      ((asks(one).commercial === false && terms.commercial) ||
        (asks(one).derivatives === false && terms.derivatives) ||
        (asks(one).shareAlike === true && plain(headOf(one.license).license) !== headOf(asked).license)),
  )
  if (strict.length === 0) return
  const most = strict.toSorted((a, b) => weight(b) - weight(a))[0]!
  throw new IftError(
    'IFT_CARD_LICENSE',
    `The adapter cannot be published under ${asked}: it is made of ${listed(strict)}.`,
    asks(most).commercial === false || strict.length === 1
      ? `Take the licence that its data asks for: --license ${most.license!.includes(' ') ? 'other' : most.license!}. Or train without ${strict.map(({ name }) => name).join(', ')}.`
      : `Take --license other and say in the card what holds. Or train without ${strict.map(({ name }) => name).join(', ')}.`,
  )
}

/**
 * The licence of what is made of these sources: the one that was asked for, which must allow no more than theirs, else the most
 * restrictive. Where two ask for different things that one licence cannot give, the head says `other` and names both. IFT_CARD_LICENSE for
 * a licence that allows what a source forbids.
 */
export function combineLicences(sources: readonly Licensed[], asked?: string): CombinedLicence {
  const unknown = sources.filter(({ license }) => license === null)
  const known = sources
    .filter(({ license }) => license !== null)
    .toSorted((a, b) => weight(b) - weight(a) || (a.name < b.name ? -1 : 1))
  const text: string[] = []
  const noCommerce = known.filter((one) => asks(one).commercial === false)
  if (noCommerce.length > 0)
    text.push(
      `**Not for commercial use**: ${listed(noCommerce)} ${noCommerce.length > 1 ? 'ask' : 'asks'} for it.`,
    )
  const same = known.filter((one) => asks(one).shareAlike === true)
  if (same.length > 0) text.push(`What is made of ${listed(same)} is to be shared under the same licence.`)
  const own = known.filter(({ license }) => termsOf(license!) === null)
  if (own.length > 0) text.push(`Terms of their own: ${listed(own)}.`)
  if (unknown.length > 0) text.push(`No licence is stated for ${unknown.map(({ name }) => name).join(', ')}.`)
  if (asked !== undefined) {
    refuse(asked, known)
    return { head: headOf(asked), text }
  }
  // What everybody may do with the known part says nothing of the rest.
  const strict = known.filter((one) => weight(one) > 1)
  if (known.length === 0 || (unknown.length > 0 && strict.length === 0)) return { head: null, text }
  const strictest = known[0]!
  const head = headOf(strictest.license!)
  const others = strict.filter(
    (one) => headOf(one.license!).license !== head.license && !covers(strictest, one),
  )
  if (others.length === 0) return { head, text }
  const names = [...new Set([strictest, ...others].map(({ license }) => license!))]
  text.push(`No single licence gives what ${names.join(' and ')} ask for: each holds for its part.`)
  return { head: headOf(names.join(' and ')).license === 'other' ? headOf(names.join(' and ')) : head, text }
}

/** Whether somebody who keeps to the first keeps to the second: it asks for all of it, and the second does not insist on itself. */
function covers(first: Licensed, second: Licensed): boolean {
  const [a, b] = [asks(first), asks(second)]
  return (
    termsOf(second.license!) !== null &&
    b.shareAlike !== true &&
    (b.commercial !== false || a.commercial === false) &&
    (b.derivatives !== false || a.derivatives === false)
  )
}
