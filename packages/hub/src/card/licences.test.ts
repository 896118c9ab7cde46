import { describe, expect, test } from 'vitest'
import { combineLicences, type Licensed } from './licences.js'

const of = (...licenses: readonly (string | null)[]): Licensed[] =>
  licenses.map((license, i) => ({ name: `set${i}`, license }))
const head = (...licenses: readonly (string | null)[]) => combineLicences(of(...licenses)).head

describe('the most restrictive licence is named', () => {
  test.each<[readonly (string | null)[], object | null]>([
    [['Apache-2.0', 'MIT', 'CC-BY-NC-4.0'], { license: 'cc-by-nc-4.0' }],
    [['CC-BY-4.0', 'CC0-1.0'], { license: 'cc-by-4.0' }],
    [['CC0-1.0'], { license: 'cc0-1.0' }],
    [['GPL-3.0-only', 'MIT'], { license: 'gpl-3.0' }],
    [['CC-BY-NC-SA-4.0', 'CC-BY-NC-4.0'], { license: 'cc-by-nc-sa-4.0' }],
    [['llama3.1', 'MIT'], { license: 'llama3.1' }],
    // One insists on commercial use being allowed, the other forbids it.
    [['CC-BY-SA-4.0', 'CC-BY-NC-4.0'], { license: 'other', license_name: 'cc-by-nc-4.0-and-cc-by-sa-4.0' }],
    [['CC-BY-SA-3.0', 'CC-BY-SA-4.0'], { license: 'other', license_name: 'cc-by-sa-3.0-and-cc-by-sa-4.0' }],
    [['llama2', 'CC-BY-NC-4.0'], { license: 'other', license_name: 'cc-by-nc-4.0-and-llama2' }],
    // A restriction holds whatever the rest is; freedom does not.
    [['CC-BY-NC-4.0', null], { license: 'cc-by-nc-4.0' }],
    [['MIT', null], null],
    [[null], null],
    [[], null],
  ])('%j', (licenses, expected) => {
    expect(head(...licenses)).toEqual(expected)
  })

  test('what a card says of a set wins over the name of its licence', () => {
    const { head: found, text } = combineLicences([
      { name: 'a', license: 'InstructWild non-commercial', commercial: false },
      { name: 'b', license: 'MIT' },
    ])
    expect(found).toEqual({ license: 'other', license_name: 'instructwild-non-commercial' })
    expect(text[0]).toBe('**Not for commercial use**: a (InstructWild non-commercial) asks for it.')
  })
})

describe('a licence that is asked for', () => {
  test.each([
    ['apache-2.0', ['CC-BY-NC-4.0'], '--license CC-BY-NC-4.0'],
    ['cc-by-sa-4.0', ['CC-BY-NC-4.0'], '--license CC-BY-NC-4.0'],
    ['mit', ['CC-BY-SA-4.0'], '--license CC-BY-SA-4.0'],
    ['cc-by-sa-4.0', ['CC-BY-SA-3.0', 'CC-BY-SA-4.0'], '--license CC-BY-SA-3.0'],
    ['mit', ['CC-BY-SA-3.0', 'GPL-3.0'], '--license other'],
  ])('%s is refused over %j', (asked, licenses, way) => {
    expect(() => combineLicences(of(...licenses), asked)).toThrow(
      expect.objectContaining({
        code: 'IFT_CARD_LICENSE',
        message: expect.stringContaining('set0') as string,
        hint: expect.stringContaining(way) as string,
      }),
    )
  })

  test.each([
    ['apache-2.0', ['MIT', 'Apache-2.0'], 'apache-2.0'],
    ['cc-by-nc-4.0', ['Apache-2.0', 'CC-BY-NC-4.0'], 'cc-by-nc-4.0'],
    ['cc-by-nc-sa-4.0', ['CC-BY-NC-4.0'], 'cc-by-nc-sa-4.0'],
    ['gpl-3.0', ['GPL-3.0-only'], 'gpl-3.0'],
    ['other', ['CC-BY-SA-4.0', 'CC-BY-NC-4.0'], 'other'],
    ['mit', [null], 'mit'],
  ])('%s stands over %j', (asked, licenses, expected) => {
    expect(combineLicences(of(...licenses), asked).head?.license).toBe(expected)
  })
})
