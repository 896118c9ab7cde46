import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
import { keepHistory, readHistory } from './history.js'
import { messagesFrom } from './lines.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-lines-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** A terminal whose keys a test presses. */
function keyboard(isTTY: boolean) {
  const input = new PassThrough()
  return Object.assign(input, { isTTY, setRawMode: () => input }) as unknown as NodeJS.ReadStream &
    PassThrough
}

const sink = () => Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
const settled = () => new Promise((resolve) => setTimeout(resolve, 60))

async function rest(lines: AsyncIterable<string>) {
  const found: string[] = []
  for await (const line of lines) found.push(line)
  return found
}

test('lines that are pasted are one message, with the one that Enter ends', async () => {
  const keys = keyboard(true)
  const lines = messagesFrom(keys, sink(), '> ', join(dir, 'history'))
  const messages = rest(lines)
  keys.write('one\r')
  await settled()
  keys.write('a\rb\rc')
  await settled()
  keys.write('\r')
  await settled()
  lines.close()
  expect(await messages).toEqual(['one', 'a\nb\nc'])
})

test('what was typed is there in the next chat, for its user alone', async () => {
  const file = join(dir, 'state/ift/chat-history')
  const keys = keyboard(true)
  const lines = messagesFrom(keys, sink(), '> ', file)
  const messages = rest(lines)
  keys.write('first\r')
  await settled()
  lines.close()
  await messages
  expect(readFileSync(file, 'utf8')).toBe('first\n')
  expect(statSync(file).mode & 0o77).toBe(0)
  const again = keyboard(true)
  const second = messagesFrom(again, sink(), '> ', file)
  const found = rest(second)
  again.write('\u001b[A\r')
  await settled()
  second.close()
  expect(await found).toEqual(['first'])
})

test('without a terminal every line is a message', async () => {
  const keys = keyboard(false)
  const lines = messagesFrom(keys, sink(), '> ', join(dir, 'none'))
  const messages = rest(lines)
  keys.end('a\nb\n')
  expect(await messages).toEqual(['a', 'b'])
})

test('a history that is no file of lines is an empty one', () => {
  const sparse = join(dir, 'sparse')
  writeFileSync(sparse, 'line\n')
  expect(readHistory(sparse)).toEqual(['line'])
  truncateSync(sparse, 100 * 2 ** 30)
  expect(readHistory(sparse)).toEqual([])
})

test.skipIf(process.platform === 'win32')('a history that is a pipe is not waited for', () => {
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(readHistory(pipe)).toEqual([])
  keepHistory(pipe, ['line'])
  expect(statSync(pipe).isFIFO()).toBe(true)
})
