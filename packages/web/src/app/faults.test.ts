import { afterEach, expect, it } from 'vitest'
import { faultLine, faultOf, faultTitle, text } from './faults.js'
import { language } from './language.js'

/** The types of the server as they are written: a union is nothing at run time. */
const [types] = Object.values(
  (import.meta as unknown as { glob: (path: string, options: object) => Record<string, string> }).glob(
    '../../../serve/src/api/types/problems.ts',
    { eager: true, query: '?raw', import: 'default' },
  ),
) as [string]

/** Codes of a union of the server's types. */
const codesOf = (name: string): string[] => {
  const [, union] = new RegExp(`export type ${name} =([^;]*?)\\n\\n`).exec(types) ?? []
  return [...union!.matchAll(/'(\w+)'/g)].map(([, code]) => code!)
}

afterEach(() => {
  language.value = 'en'
})

it.each(['en', 'zh'] as const)('has words for every code of the server in %s', (chosen) => {
  language.value = chosen
  const codes = [...codesOf('ErrorCode'), ...codesOf('RunCode')]
  expect(codes.length).toBeGreaterThan(30)
  const others = text()['']
  for (const code of codes) expect([code, faultTitle({ code, message: '' })]).not.toEqual([code, others])
})

it("takes ift's own errors by their family, and others for what they are", () => {
  language.value = 'zh'
  expect(faultTitle({ code: 'IFT_DATA_RECORD', message: '' })).toBe('无法读取数据')
  expect(faultTitle({ code: 'IFT_ADAPTERS_BASE', message: '' })).toBe('适配器不能使用')
  expect(faultTitle({ code: 'IFT_SOMETHING_NEW', message: '' })).toBe('出错了')
  expect(faultTitle(faultOf(new TypeError('x is no function')))).toBe('出错了')
})

it("says a line in the server's words on an English page alone", () => {
  const fault = { code: 'run_exists', message: 'There is a run "a" already.' }
  expect(faultLine(fault)).toBe('There is a run "a" already.')
  language.value = 'zh'
  expect(faultLine(fault)).toBe('已有同名训练')
})
