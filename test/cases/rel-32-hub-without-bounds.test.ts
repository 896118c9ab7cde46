import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// What a hub answers, or a proxy in front of it, ends in an error of its own, whatever it is.

const folder = tinyCase('rel-32-hub-without-bounds')
let server: Server
let list: (response: ServerResponse, page: number) => void
beforeAll(async () => {
  let page = 0
  server = createServer((request, response) => {
    response.on('error', () => undefined)
    if (request.url!.includes('/revision/')) response.end(JSON.stringify({ sha: 'a'.repeat(40) }))
    else if (request.url!.includes('/tree/')) list(response, ++page)
    else response.writeHead(302, { location: 'http://[::::' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  folder.remove()
})
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map((path) => ({
  type: 'file',
  path,
  oid: 'b'.repeat(40),
  size: 10,
}))

test.each<[string, typeof list]>([
  [
    'a list without an end',
    (response) => {
      const more = () => {
        while (!response.destroyed && response.write('['.repeat(1 << 16)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    },
  ],
  [
    'pages without an end',
    (response, page) =>
      response
        .writeHead(200, { link: `<${url()}/api/models/org/name/tree/x?cursor=${page}>; rel="next"` })
        .end('[]'),
  ],
  ['an entry of null', (response) => response.end('[null]')],
  ['a place that is no address', (response) => response.end(JSON.stringify(files))],
])('%s', async (_, answer) => {
  list = answer
  const { ended } = folder.start(['generate', 'hello', '--weights', 'org/name', '--template', 'alpaca'], {
    env: { HF_ENDPOINT: url(), HF_HOME: folder.path('hub'), NODE_OPTIONS: '--max-old-space-size=300' },
  })
  const { code, stderr } = await ended
  expect(stderr).toContain('IFT_SOURCE_NETWORK')
  expect(code).toBe(1)
})
