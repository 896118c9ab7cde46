import { expect, it } from 'vitest'
import { csv } from './csv.js'

it('writes CSV that spreadsheets read as it is', () => {
  expect(
    csv(
      ['name', 'loss'],
      [
        ['a,b', 1.5],
        ['say "no"', null],
        ['=1+1', -2],
      ],
    ),
  ).toBe('name,loss\r\n"a,b",1.5\r\n"say ""no""",\r\n\'=1+1,-2\r\n')
})
