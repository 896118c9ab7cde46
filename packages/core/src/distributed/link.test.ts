import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { RankLink } from './link.js'
import type { RankPlace } from '../contract/ranks.js'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const place = (rank: number, worldSize: number, ports: number[], runId = 'run'): RankPlace => ({
  launcher: 'test',
  rank,
  worldSize,
  localRank: rank,
  localSize: worldSize,
  device: rank,
  mpi: null,
  master: { host: '127.0.0.1', ports },
  runId,
})

const all = (count: number, ports: number[], timeout = 20) =>
  Promise.all(Array.from({ length: count }, (_, rank) => RankLink.open(place(rank, count, ports), timeout)))

test('the id of rank 0 comes to every rank', async () => {
  const id = Uint8Array.from({ length: 128 }, (_, i) => i)
  const links = await all(4, [await freePort()])
  const got = await Promise.all(links.map((link, rank) => link.exchange(rank === 0 ? id : null)))
  for (const bytes of got) expect([...bytes]).toEqual([...id])
  for (const link of links) link.close()
})

test('rank 0 takes the next port when the agent of the launcher sits on the first, and strangers are ignored', async () => {
  const agent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(agent, 'listening')
  const { port } = agent.address() as AddressInfo
  const free = await freePort()
  const first = RankLink.open(place(0, 2, [port, free]), 20)
  for (let i = 0; i < 40; i++) {
    const stranger = connect({ port: free, host: '127.0.0.1' })
    const connected = await once(stranger, 'connect').then(
      () => true,
      () => false,
    )
    if (connected) {
      stranger.on('error', () => undefined)
      stranger.write('GET / HTTP/1.1\r\n\r\n{"magic":"x"}\n')
      break
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const second = await RankLink.open(place(1, 2, [free]), 20)
  const links = [await first, second]
  await links[0]!.exchange(Uint8Array.of(7))
  expect([...(await second.exchange(null))]).toEqual([7])
  for (const link of links) link.close()
  agent.close()
})

test('a rank that does not come is named, to every rank that did', async () => {
  const ports = [await freePort()]
  const results = await Promise.allSettled([0, 2].map((rank) => RankLink.open(place(rank, 4, ports), 0.7)))
  const first = results[0]!
  if (first.status !== 'rejected') throw new Error('rank 0 did not miss anybody')
  expect(first.reason).toMatchObject({ code: 'IFT_RANK_MISSING' })
  expect(String(first.reason)).toContain('ranks 1, 3 of 4 did not come')
  // Rank 2 was welcomed and hears it afterwards.
  const second = results[1]!
  if (second.status === 'fulfilled')
    await expect(second.value.lost).rejects.toThrow(/ranks 1, 3 of 4 did not come/)
  else throw second.reason
  await expect(RankLink.open(place(1, 2, ports), 0.4)).rejects.toThrow(/rank 0 of 2 did not come/)
})

test('a rank with another number of ranks ends the run on all that have come', async () => {
  const ports = [await freePort()]
  const [first, second] = [0, 1].map((rank) => RankLink.open(place(rank, 3, ports), 20))
  const failure = expect(first).rejects.toMatchObject({
    code: 'IFT_RANKS_ENVIRONMENT',
    message: expect.stringContaining('rank 2 calls, and it counts 4 ranks and rank 0 counts 3') as string,
  })
  const link = await second!
  const word = expect(link.lost).rejects.toThrow('Rank 0 failed: rank 2 calls, and it counts 4 ranks')
  await expect(RankLink.open(place(2, 4, ports), 20)).rejects.toThrow(/refuses rank 2: it counts 4 ranks/)
  await Promise.all([failure, word])
})

test('a rank of another run is refused', async () => {
  const ports = [await freePort()]
  const first = RankLink.open(place(0, 2, ports), 20)
  await expect(RankLink.open(place(1, 2, ports, 'other'), 20)).rejects.toThrow(/belongs to run "other"/)
  const second = await RankLink.open(place(1, 2, ports), 20)
  await expect(RankLink.open(place(1, 2, ports), 0.4)).rejects.toThrow(/rank 0 of 2 did not come|already/)
  for (const link of [await first, second]) link.close()
})

test('the message of a rank that fails reaches all others, and a rank that leaves in peace fails nobody', async () => {
  const links = await all(3, [await freePort()])
  await links[2]!.fail('there is no disk')
  for (const rank of [0, 1])
    await expect(links[rank]!.lost).rejects.toMatchObject({
      code: 'IFT_RANK_FAILED',
      message: 'Rank 2 failed: there is no disk',
    })
  const others = await all(2, [await freePort()])
  others[1]!.close()
  const still = Promise.race([
    others[0]!.lost,
    new Promise((resolve) => setTimeout(resolve, 100, 'still there')),
  ])
  expect(await still).toBe('still there')
  others[0]!.close()
})
