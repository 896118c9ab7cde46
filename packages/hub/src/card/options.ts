import { IftError, parseHubId } from '@ift/core'
import type { CardOptions } from './facts.js'

/** Options of verbs that make a card. */
export const cardOptions = {
  title: { type: 'string', description: 'title of the card; name of the base and method when absent' },
  base: {
    type: 'string',
    value: 'org/name',
    description: 'id of the base on the hub, where it was trained from a folder',
  },
  license: {
    type: 'string',
    value: 'id',
    description: 'licence of the adapter, such as cc-by-nc-4.0; the most restrictive of its data when absent',
  },
  language: {
    type: 'string',
    value: 'codes',
    description: 'languages besides those of known datasets, such as en,zh',
  },
} as const

/** IFT_USAGE for what is no id of the hub. */
export function checkId(id: string, flag: string): string {
  // A revision is no part of a name.
  if (parseHubId(id)?.id === id && id.includes('/')) return id
  throw new IftError(
    'IFT_USAGE',
    `${flag} is ${JSON.stringify(id)}, expected an id of the hub.`,
    'It is written org/name, as in the address of its page.',
  )
}

/** Checks the options of a command line. IFT_USAGE names the one that is wrong. */
export function cardRequest({
  title,
  base,
  license,
  language,
}: {
  readonly title: string | undefined
  readonly base: string | undefined
  readonly license: string | undefined
  readonly language: string | undefined
}): CardOptions {
  const languages = language?.split(',').map((code) => code.trim().toLowerCase())
  const wrong = languages?.find((code) => !/^([a-z]{2,3}(-[a-z0-9]{2,8})*|multilingual|code)$/.test(code))
  if (wrong !== undefined)
    throw new IftError(
      'IFT_USAGE',
      `--language names ${JSON.stringify(wrong)}, expected codes of languages with commas between (ISO 639-1).`,
      'For English and Chinese: --language en,zh',
    )
  return { title, base: base === undefined ? undefined : checkId(base, '--base'), license, languages }
}
