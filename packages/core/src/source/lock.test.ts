import { execFile } from 'node:child_process'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { sha256 } from './fake-hub.fixture.js'
import { add, dir, hub, options, repoDir, weights, withHub } from './resolve.fixture.js'
import { resolveSource } from './resolve.js'

withHub()

test('two processes at once fetch every file once', async () => {
  add()
  hub.interfere = async ({ path }) => {
    if (path.includes('/resolve/')) await new Promise((resolve) => setTimeout(resolve, 150))
    return false
  }
  const jiti = fileURLToPath(import.meta.resolve('jiti'))
  const script = `
    import { createJiti } from ${JSON.stringify(jiti)}
    const jiti = createJiti(${JSON.stringify(import.meta.url)}, { alias: ${JSON.stringify({ '@ift/tensor': fileURLToPath(new URL('../../../tensor/src/errors.ts', import.meta.url)) })} })
    const { resolveSource } = await jiti.import(${JSON.stringify(fileURLToPath(new URL('./resolve.ts', import.meta.url)))})
    const source = await resolveSource('org/name', ${JSON.stringify(options())})
    console.log(source.files.join(' '))`
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  const results = await Promise.all([run(), run(), run()])
  for (const { stdout } of results) expect(stdout.trim()).toBe('config.json model.safetensors tokenizer.json')
  expect(hub.downloads.length).toBe(3)
  expect((await readdir(join(repoDir(), 'blobs'))).length).toBe(3)
  expect(await readdir(join(dir, 'cache/.locks/models--org--name'))).toEqual([])
})

test('a lock that a killed process left ends by itself', async () => {
  add()
  const lock = join(dir, 'cache/.locks/models--org--name', `${sha256(weights)}.ift.lock`)
  await mkdir(dirname(lock), { recursive: true })
  await writeFile(lock, '')
  const long = new Date(Date.now() - 60_000)
  await utimes(lock, long, long)
  expect((await resolveSource('org/name', options())).files.length).toBe(3)
})
