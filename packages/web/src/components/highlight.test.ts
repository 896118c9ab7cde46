import { describe, expect, it } from 'vitest'
import { highlight } from './highlight.js'

const shown = (code: string, language: string) =>
  highlight(code, language)
    .filter(({ kind }) => kind !== 'plain')
    .map(({ kind, text }) => `${kind[0]!}:${text}`)

describe('colours of code', () => {
  it('know scripts', () => {
    expect(shown('const a = "x\\"y" // b 1\nreturn 3e-4 + `t\n${a}` /* c */', 'ts')).toEqual([
      ...['k:const', 's:"x\\"y"', 'c:// b 1', 'k:return', 'n:3e-4', 's:`t\n${a}`', 'c:/* c */'],
    ])
  })

  it('know Python, SQL, shells and data', () => {
    expect(shown('def f():\n  """doc\n"""\n  return 1 # no', 'python')).toEqual([
      'k:def',
      's:"""doc\n"""',
      'k:return',
      'n:1',
      'c:# no',
    ])
    expect(shown("select 'a' from t -- x", 'SQL')).toEqual(['k:select', "s:'a'", 'k:from', 'c:-- x'])
    expect(shown('echo "$x" # y', 'sh')).toEqual(['k:echo', 's:"$x"', 'c:# y'])
    expect(shown('{"a": true, "b": -1.5}', 'json')).toEqual(['s:"a"', 'k:true', 's:"b"', 'n:1.5'])
  })

  it.each(['ts', 'python', 'rust', 'sql', 'sh', 'json', 'brainfuck', ''])(
    'lose no character: %s',
    (language) => {
      const code = 'a = "unclosed\nb /* open\n\'x" # <script> `${1}` 0x1F 1_000 "é你🐑" \\'
      for (let end = 0; end <= code.length; end++)
        expect(
          highlight(code.slice(0, end), language)
            .map(({ text }) => text)
            .join(''),
        ).toBe(code.slice(0, end))
    },
  )

  it('are quick for any text', () => {
    const started = performance.now()
    for (const code of ['"\\'.repeat(20_000), '/*'.repeat(20_000), '"""'.repeat(15_000), '1e'.repeat(20_000)])
      for (const language of ['ts', 'python', 'c']) highlight(code, language)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})
