import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type Running } from '../cases/ift.fixture.js'

// `ift serve` as a process of its own, as whoever runs a server meets it.

const folder = caseFolder('serve')
const model = ['--weights', quickstartModel, '--template', 'alpaca', '--device', 'cpu']

/** Starts the server on a free port, and waits until it answers. */
async function start(...args: string[]): Promise<{ running: Running; url: string }> {
  const running = folder.start(['serve', ...model, '--port', '0', ...args])
  let said = ''
  running.child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
  await running.until(() => said.includes('Ready'))
  return { running, url: /Ready: (http:\S+)/.exec(said)![1]! }
}

const ask = (url: string, body: object) =>
  fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Tom has 3 apples.' }], ...body }),
  })

let served: Awaited<ReturnType<typeof start>>
beforeAll(async () => {
  served = await start()
})
afterAll(() => {
  folder.remove()
})

test('SIGTERM lets answers end, takes no new ones and ends with exit code 0', async () => {
  const { running, url } = served
  const response = await ask(url, { max_tokens: 300, min_tokens: 300, temperature: 0, stream: true })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = (await reader.read()).value!
  running.child.kill('SIGTERM')
  // The connection is refused, or its request.
  let refused: unknown
  while (refused === undefined) {
    const other = await ask(url, { max_tokens: 1 }).catch((error: unknown) => error as Error)
    if (other instanceof Error) refused = (other.cause as { code?: string }).code
    else if (other.status === 503) refused = ((await other.json()) as { error: { code: string } }).error.code
  }
  expect(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 'shutting_down']).toContain(refused)
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    text += value
  }
  const events = text.split('\n\n').filter(Boolean)
  expect(events.at(-1)).toBe('data: [DONE]')
  expect(events.at(-2)).toContain('"finish_reason":"length"')
  expect(await running.ended).toMatchObject({ code: 0, signal: null })
})
