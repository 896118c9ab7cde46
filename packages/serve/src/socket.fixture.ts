// Requests as bytes, for what no client library would send.
import { connect, type Socket } from 'node:net'

export interface RawReply {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Sends bytes and reads until the other side closes. */
export const raw = (port: number, bytes: string): Promise<RawReply> =>
  new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('utf8').on('data', (part: string) => (text += part))
    // A server that refuses a body does not read it: to write on fails.
    socket
      .on('error', () => undefined)
      .on('close', () => {
        const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
        resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body })
      })
  })

/** A request with these lines of a header, and JSON. */
export function request(line: string, headers: readonly string[], body?: unknown): string {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(text)}`]
  return `${line} HTTP/1.1\r\n${[...headers, ...length, 'connection: close'].join('\r\n')}\r\n\r\n${text}`
}

/** A connection that has sent bytes, and reads nothing until it is resumed. */
export const opened = (port: number, bytes: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.pause()
      socket.write(bytes)
      resolve(socket)
    })
    socket.on('error', reject)
  })
