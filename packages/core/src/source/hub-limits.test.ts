import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import type { FakeHubRequest } from './fake-hub.fixture.js'
import { hubLimits, nestedDeeper } from './hub-limits.js'
import { add, hub, modelFiles, options, withHub } from './resolve.fixture.js'
import { resolveSource } from './resolve.js'

withHub()

type Answer = (response: ServerResponse, request: FakeHubRequest) => void

/** Answers the requests whose path has `part` in it. */
const answer = (part: string, write: Answer) => {
  hub.interfere = (request, response) => {
    if (!request.path.includes(part)) return false
    response.on('error', () => undefined)
    write(response, request)
    return true
  }
}

/** Writes the same bytes for as long as they are taken. */
const endless =
  (chunk: string): Answer =>
  (response) => {
    const more = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }

const fails = async (code: string, message: string | RegExp, more: Parameters<typeof options>[0] = {}) => {
  const started = performance.now()
  await expect(resolveSource('org/name', options(more))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  })
  expect(performance.now() - started).toBeLessThan(15_000)
}

test.each(['['.repeat(1 << 16), '[{"a":"b"},'.repeat(1 << 12), ' '.repeat(1 << 16)])(
  'a list without an end: %.3s…',
  async (chunk) => {
    add()
    answer('/tree/', endless(chunk))
    await fails('IFT_SOURCE_NETWORK', /more than 33554432 bytes/)
  },
)

test('a list of brackets', async () => {
  add()
  answer('/tree/', (response) => response.end('['.repeat(1e6) + ']'.repeat(1e6)))
  await fails('IFT_SOURCE_NETWORK', /brackets within each other/)
})

test('a list of which every page names another one', async () => {
  add()
  let page = 0
  answer('/tree/', (response) => {
    response.writeHead(200, { link: `<${hub.url}/api/models/org/name/tree/x?cursor=${++page}>; rel="next"` })
    response.end('[]')
  })
  await fails('IFT_SOURCE_NETWORK', /more than 1000 pages/)
  expect(page).toBe(hubLimits.pages)
})

test.each([
  ['null', '[null]', /expected \{ path, oid, size \}, found null/],
  ['a list', '[[]]', /found \[\]/],
  ['a number', '[1]', /found 1/],
  ['null for lfs', '[{"type":"file","path":"a","oid":"b","size":1,"lfs":null}]', /expected \{ path/],
  ['no list', '{"error":"x"}', /expected a list/],
])('an entry that is %s', async (_, body, message) => {
  add()
  answer('/tree/', (response) => response.end(body))
  await fails('IFT_SOURCE_NETWORK', message)
})

test.each(['null', '[]', '5', '{"sha":5}', '{"sha":"../../x"}'])('a revision that is %s', async (body) => {
  add()
  answer('/revision/', (response) => response.end(body))
  await fails('IFT_SOURCE_NETWORK', /expected "sha"/)
})

test('addresses that are none', async () => {
  add()
  answer('/resolve/', (response) => response.writeHead(302, { location: 'http://[::::' }).end())
  await fails('IFT_SOURCE_NETWORK', /it sends on to "http:\/\/\[::::", which is no address/)
  answer('/tree/', (response) => response.writeHead(200, { link: '<http://[::::>; rel="next"' }).end('[]'))
  await fails('IFT_SOURCE_NETWORK', /which is no address/)
  await fails('IFT_SOURCE_NETWORK', /The hub is "huggingface\.co"/, { endpoint: 'huggingface.co' })
})

test.each(['/tree/', '/model.safetensors'])('a byte now and then, of %s', async (part) => {
  add()
  answer(part, (response) => {
    const timer = setInterval(() => response.write(' '), 10)
    response.on('close', () => {
      clearInterval(timer)
    })
  })
  await fails('IFT_SOURCE_NETWORK', /the connection (brought \d+ bytes in|was silent)/, {
    idleTimeoutMs: 200,
  })
})

test('a file that brings a byte with every connection', async () => {
  add()
  answer('/resolve/', (response, { headers }) => {
    const start = Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0)
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': 300_000 - start,
      ...(start > 0 && { 'content-range': `bytes ${start}-299999/300000` }),
    })
    response.write('x', () => response.destroy())
  })
  await fails('IFT_SOURCE_NETWORK', /tried 5 times/)
})

test('names that no file system takes', async () => {
  const data = Buffer.from('{}')
  add({ files: { ...modelFiles, [`${'a'.repeat(300)}/config.json`]: data } })
  await fails('IFT_FILE_WRITE', 'cannot be written', { patterns: ['**/*config.json'] })
  add({ files: { 'a.json': data, 'a.json/b.json': data } })
  await fails('IFT_FILE_WRITE', 'cannot be written', { patterns: ['**/*.json'] })
})

test('brackets in texts do not count', () => {
  expect(nestedDeeper('["[[[[\\"[[[["]', 1)).toBe(false)
  expect(nestedDeeper('[[1]]', 1)).toBe(true)
  expect(nestedDeeper('[1][1]', 1)).toBe(false)
})
