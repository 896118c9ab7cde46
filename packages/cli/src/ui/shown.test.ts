import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { visible, visibleJson } from './shown.js'
import { Terminal } from './terminal.js'

const hostile = '\x1b]0;OWNED\x07\x1b[31mred\x1b]52;c;ZXZpbA==\x07\x1b[2Jx\x9b31m\u202e\r\b\x7f\u2066'

const dangerous = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/

/** A terminal, and what it was given. */
function recorded(isTTY: boolean, env: NodeJS.ProcessEnv = { NO_COLOR: '1' }) {
  const written = { out: '', err: '' }
  const stream = (name: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _, done) {
          written[name] += chunk.toString()
          done()
        },
      }),
      { isTTY, columns: 80 },
    ) as unknown as NodeJS.WriteStream
  return { terminal: new Terminal(stream('out'), stream('err'), env), written }
}

test('controls are shown as characters; tabs, lines and letters stay', () => {
  expect(visible(hostile)).toBe('␛]0;OWNED␇␛[31mred␛]52;c;ZXZpbA==␇␛[2Jx\\u009b31m\\u202e␍␈␡\\u2066')
  const plain = 'a\tb\nç 中文 😀 עברית\u200f ﷺ e\u0301\u200d'
  expect(visible(plain)).toBe(plain)
  for (let code = 0; code < 0x3000; code++) expect(visible(String.fromCharCode(code))).not.toMatch(dangerous)
})

test('JSON reads as the same value', () => {
  const json = visibleJson(JSON.stringify({ [hostile]: hostile }))
  expect(json).not.toMatch(dangerous)
  expect(JSON.parse(json)).toEqual({ [hostile]: hostile })
})

test('results are as they are for a program, and shown on a terminal', () => {
  const [piped, shown] = [recorded(false), recorded(true)]
  for (const { terminal } of [piped, shown]) terminal.out(hostile)
  expect(piped.written.out).toBe(hostile)
  expect(shown.written.out).not.toMatch(dangerous)
})

test.each([true, false])('what people read is shown wherever it goes: terminal %s', (isTTY) => {
  const { terminal, written } = recorded(isTTY)
  terminal.view(`a ${terminal.style('green', hostile)}`)
  terminal.json({ hostile })
  terminal.jsonLine([hostile])
  terminal.note(hostile)
  terminal.heading(hostile)
  terminal.err(hostile)
  terminal.table([[hostile, hostile]])
  terminal.failure(hostile, hostile, hostile)
  expect(written.out + written.err).not.toMatch(dangerous)
})

test('the line that is redrawn has the sequences of its own alone', () => {
  const { terminal, written } = recorded(true)
  terminal.redraw(hostile)
  expect(written.err.replace('\r\x1b[2K', '')).not.toMatch(dangerous)
})

test('styles are those of ift alone', () => {
  const { terminal, written } = recorded(true, { FORCE_COLOR: '1' })
  terminal.view(`${terminal.style('green', 'a\x1b[8m\x1b[31mb')}c\x1b[8md\x1b[30;40m`)
  expect(written.out).toBe('\x1b[32ma␛[8m␛[31mb\x1b[39mc␛[8md␛[30;40m')
  terminal.failure('what\nwhere', 'hint', 'IFT_X')
  expect(written.err).toBe('\x1b[31merror\x1b[39m what\nwhere\n\nhint\n\x1b[2mIFT_X\x1b[22m\n')
})

test('every line of another rank has its name', () => {
  const { terminal, written } = recorded(false)
  terminal.speakFor(2)
  terminal.failure('what\nwhere', undefined, 'IFT_X')
  expect(written.err).toBe('rank 2: error what\nrank 2: where\nrank 2: IFT_X\n')
})
