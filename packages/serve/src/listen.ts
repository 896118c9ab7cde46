import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { IftError } from '@ift/core'
import type { Server } from './server.js'
import { errorResponse, HttpError } from './wire/errors.js'

/** What connections may take; the reasons are in docs/serving.md. */
export const limits = {
  headerBytes: 16 * 1024,
  /** Milliseconds for the header of a request, and for all of it. */
  header: 10_000,
  request: 60_000,
  /** Milliseconds that a connection may stay without a request. */
  idle: 60_000,
  connections: 512,
  requestsPerConnection: 10_000,
} as const

export interface ListenOptions {
  /** Address of this machine; 127.0.0.1 when absent. */
  readonly host?: string
  /** 8410 when absent; 0 is one that is free. */
  readonly port?: number
  /** Milliseconds for the header of a request; 10,000 when absent. */
  readonly headerTimeout?: number
  /** Milliseconds for all of a request, its header included; 60,000 when absent. */
  readonly requestTimeout?: number
}

/** A server that can be reached. */
export interface Listening {
  readonly host: string
  readonly port: number
  readonly url: string
  /** Refuses new requests, lets answers end for `grace` milliseconds, and closes. */
  close(grace?: number): Promise<void>
}

/** Lets a server be reached at an address of this machine. */
export async function listen(
  server: Server,
  {
    host = '127.0.0.1',
    port = 8410,
    headerTimeout = limits.header,
    requestTimeout = limits.request,
  }: ListenOptions = {},
): Promise<Listening> {
  const answer = getRequestListener((request, env) => server.fetch(request, env as never), {
    overrideGlobalObjects: false,
    errorHandler: () =>
      errorResponse(
        new HttpError(403, 'host_not_allowed', 'Host: expected one of the names of this server.', {
          type: 'permission_error',
        }),
      ),
  })
  const http: HttpServer = createHttpServer(
    {
      // One without a Host is told so by us, in JSON.
      ...{ maxHeaderSize: limits.headerBytes, requireHostHeader: false },
      ...{ headersTimeout: Math.min(headerTimeout, requestTimeout), requestTimeout },
      ...{ keepAliveTimeout: limits.idle, connectionsCheckingInterval: Math.min(2000, headerTimeout) },
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  )
  http.maxConnections = limits.connections
  http.maxRequestsPerSocket = limits.requestsPerConnection
  http.on('clientError', refuse)
  if (!server.hasKey && !isLoopback(host))
    throw new IftError(
      'IFT_SERVE_OPEN',
      `At ${host} others than this machine reach the server, and it has no key.`,
      'Give it one: --api-key KEY, IFT_API_KEY or --api-key-file FILE; or stay at 127.0.0.1.',
    )
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => {
      reject(unreachable(host, port, cause))
    })
    http.listen(port, host, resolve)
  })
  const address = http.address() as AddressInfo
  server.bind({ host, port: address.port })
  const name = host.includes(':') ? `[${host}]` : host
  return {
    ...{ host, port: address.port, url: `http://${name}:${address.port}` },
    async close(grace) {
      await server.drain(grace)
      if (!http.listening) return
      const closed = new Promise((resolve) => http.close(resolve))
      // What has been written is still to be read.
      const timer = setTimeout(() => {
        http.closeAllConnections()
      }, 1000)
      await closed
      clearTimeout(timer)
    },
  }
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

const unreachable = (host: string, port: number, cause: NodeJS.ErrnoException) =>
  new IftError(
    'IFT_SERVE_ADDRESS',
    `The server cannot be reached at ${host}, port ${port}: ${cause.code === 'EADDRINUSE' ? 'the port is in use' : cause.message}.`,
    'Choose another port: --port 0 takes one that is free.',
    { cause },
  )

/** Answers what is no request. */
function refuse(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          '431 Request Header Fields Too Large',
          'header_too_large',
          `The header has more than ${limits.headerBytes} bytes.`,
        ]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'request_timeout', 'The request took too long to arrive.']
        : ['400 Bad Request', 'invalid_request', 'This is no HTTP request.']
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } })
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
