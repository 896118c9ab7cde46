import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { FakeHub, type FakeRepo } from './fake-hub.fixture.js'
import type { ResolveOptions } from './types.js'

export const commit = 'a'.repeat(40)
export const weights = Buffer.alloc(300_000, 'weights of the model ')
export const modelFiles = {
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'tokenizer.json': Buffer.from('{"version":"1.0"}'),
  'model.safetensors': weights,
  'pytorch_model.bin': Buffer.from('a pickle'),
  'README.md': Buffer.from('# about'),
  'onnx/model.onnx': Buffer.from('onnx'),
}

/** The hub, and the folder that sources and the cache lie in: new for every test of a file that calls `withHub`. */
export let hub: FakeHub
export let dir: string

export const options = (more: Partial<ResolveOptions> = {}): ResolveOptions => ({
  kind: 'model',
  rootDir: dir,
  cacheDir: join(dir, 'cache'),
  endpoint: hub.url,
  retryDelayMs: 2,
  ...more,
})

export const repoDir = () => join(dir, 'cache', 'models--org--name')

/** Puts org/name on the hub: a model, unless something else is said. */
export const add = (repo: Partial<FakeRepo> = {}) =>
  hub.repos.set('org/name', { commit, files: modelFiles, large: ['model.safetensors'], ...repo })

/** To be called by the file itself: several share a process, which loads this one once. */
export function withHub(): void {
  beforeEach(async () => {
    hub = new FakeHub()
    await hub.start()
    dir = await mkdtemp(join(tmpdir(), 'ift-source-'))
  })
  afterEach(async () => {
    await hub.stop()
    await rm(dir, { recursive: true, force: true })
  })
}
