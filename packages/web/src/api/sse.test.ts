import { describe, expect, it } from 'vitest'
import { EventReader, type ServerEvent } from './sse.js'

const text =
  ': ping\n\ndata: {"a":"第一 🐑"}\n\nevent: step\r\nid: 7\r\ndata: one\r\ndata: two\r\n\r\ndata:x\rdata\r\rdata: [DONE]\n\ndata: lost'
const bytes = new TextEncoder().encode(text)
const expected: ServerEvent[] = [
  { name: 'message', data: '{"a":"第一 🐑"}', id: null },
  { name: 'step', data: 'one\ntwo', id: '7' },
  { name: 'message', data: 'x\n', id: '7' },
  { name: 'message', data: '[DONE]', id: '7' },
]

const read = (pieces: readonly Uint8Array[]) => {
  const reader = new EventReader()
  return pieces.flatMap((piece) => reader.feed(piece))
}

describe('server-sent events', () => {
  it('are the same wherever the bytes are cut in two', () => {
    for (let at = 0; at <= bytes.length; at++)
      expect(read([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(expected)
  })

  it.each([1, 2, 3, 7])('are the same in pieces of %i bytes', (size) => {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    expect(read(pieces)).toEqual(expected)
  })
})
