import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openBinding } from './binding.js'
import { encodingThreads } from './threads.js'

type Case = readonly [
  env: Readonly<Record<string, string | undefined>>,
  usable: number,
  cores: number,
  threads: number,
]

test.each<Case>([
  [{}, 8, 8, 8],
  [{ RAYON_NUM_THREADS: '3' }, 8, 8, 3],
  [{ RAYON_NUM_THREADS: '0' }, 8, 8, 8],
  [{ RAYON_NUM_THREADS: 'all' }, 8, 8, 8],
  [{ RAYON_NUM_THREADS: '99999999' }, 8, 8, 4096],
  // Open MPI
  [{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '8', OMPI_COMM_WORLD_LOCAL_RANK: '1' }, 8, 8, 8],
  ...(
    [
      [8, 8, 2],
      [2, 8, 2],
      [2, 2, 1],
    ] as const
  ).flatMap(([usable, cores, threads]) =>
    [
      {
        OMPI_COMM_WORLD_RANK: '1',
        OMPI_COMM_WORLD_SIZE: '8',
        OMPI_COMM_WORLD_LOCAL_RANK: '1',
        OMPI_COMM_WORLD_LOCAL_SIZE: '4',
      },
      {
        RANK: '1',
        WORLD_SIZE: '8',
        LOCAL_RANK: '1',
        LOCAL_WORLD_SIZE: '4',
        MASTER_ADDR: 'a',
        MASTER_PORT: '29500',
      },
      { PMI_RANK: '1', PMI_SIZE: '8', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '4' },
    ].map((env): Case => [env, usable, cores, threads]),
  ),
  // What is malformed is reported by a run.
  [{ PMI_RANK: 'one', PMI_SIZE: '8' }, 8, 8, 8],
])('threads with %j, %i usable of %i cores: %i', (env, usable, cores, threads) => {
  expect(encodingThreads(env, usable, cores)).toBe(threads)
})

const folder = fileURLToPath(new URL('..', import.meta.url))
const file = readdirSync(folder).find((name) => name.endsWith('.node'))!

/** Encodes a batch in a process of its own: its ids, and the threads that it has then. */
function encodeApart(threads: number, limit: string) {
  const json = {
    version: '1.0',
    added_tokens: [],
    pre_tokenizer: { type: 'Whitespace' },
    model: { type: 'WordLevel', vocab: { a: 0, b: 1 }, unk_token: 'a' },
  }
  const source = `
    const { NativeTokenizer } = require(${JSON.stringify(`${folder}/${file}`)})
    NativeTokenizer.setThreads(${threads})
    const texts = Array(64).fill('a b '.repeat(200))
    NativeTokenizer.open(${JSON.stringify(JSON.stringify(json))}, false).encodeBatch(texts).then((found) => {
      const { readdirSync, readFileSync } = require('node:fs')
      const nameOf = (id) => {
        try {
          return readFileSync('/proc/self/task/' + id + '/comm', 'utf8')
        } catch {
          return 'ended'
        }
      }
      const threads = readdirSync('/proc/self/task').filter((id) => nameOf(id).startsWith('tokenizer-')).length
      console.log(JSON.stringify({ tokens: found.subarray(0, 64).reduce((sum, one) => sum + one), threads }))
    })`
  const { status, signal, stdout, stderr } = spawnSync(
    'sh',
    ['-c', `${limit} exec "$0" -e "$1"`, process.execPath, source],
    { encoding: 'utf8' },
  )
  expect({ status, signal }, stderr).toEqual({ status: 0, signal: null })
  return JSON.parse(stdout) as { tokens: number; threads: number }
}

test('ids are decoded on another thread', async () => {
  const tokenizer = openBinding(
    {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: { type: 'WordLevel', vocab: { a: 0, '##b': 1 }, unk_token: 'a' },
    },
    'tokenizer.json',
    new Map(),
  )
  const order: string[] = []
  const ids = Array.from({ length: 400_000 }, (_, i) => i % 2)
  const decoded = tokenizer.decode(ids).then((text) => {
    order.push('text')
    return text
  })
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      order.push('turn of the loop')
      resolve()
    })
  })
  expect(await decoded).toBe(Array<string>(200_000).fill('ab').join(' '))
  expect(order).toEqual(['turn of the loop', 'text'])
})

describe.runIf(process.platform === 'linux')('the pool', () => {
  test.each([
    [1, 0],
    [2, 2],
    [5, 5],
  ])('of %i', (threads, started) => {
    expect(encodeApart(threads, '')).toEqual({ tokens: 64 * 400, threads: started })
  })

  test('more threads than the system gives: the batch is encoded on one', () => {
    // Stacks of 2 MiB each, 2.4 GB.
    const { tokens } = encodeApart(1200, 'ulimit -v 2500000;')
    expect(tokens).toBe(64 * 400)
  })
})
