import { lookup } from 'node:dns/promises'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { IftError } from '@ift/tensor'
import type { RankPlace } from '../contract/ranks.js'

/** First word of every connection; a connection without it comes from another program. */
const magic = 'ift-ranks-1'
/** A line of the protocol is an id of a library or a message of an error, in JSON. */
const longestLine = 1 << 20
const retryEvery = 200

type Line =
  | { readonly magic: string; readonly runId: string; readonly rank: number; readonly worldSize: number }
  | { readonly welcome: true }
  | { readonly refused: string }
  | { readonly bytes: string }
  | { readonly failed: number; readonly message: string }
  | { readonly bye: true }

/** Milliseconds after which a connection asks whether the other side's machine is still there. */
const quiet = 10_000

const send = (socket: Socket, line: Line) => socket.write(`${JSON.stringify(line)}\n`)

/** Calls `take` with each line that arrives; a line in another format ends the connection. */
function lines(socket: Socket, take: (line: Line) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    rest += text
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      let line: Line
      try {
        line = JSON.parse(rest.slice(0, end)) as Line
        if (typeof line !== 'object') throw new Error('no object')
      } catch {
        socket.destroy()
        return
      }
      rest = rest.slice(end + 1)
      take(line)
    }
    if (rest.length > longestLine) socket.destroy()
  })
}

const names = (ranks: readonly number[]) => `${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')}`

const failure = (rank: number, message: string) =>
  new IftError(
    'IFT_RANK_FAILED',
    `Rank ${rank} failed: ${message}`,
    'The last checkpoint is intact: start all ranks again with --resume.',
  )

/**
 * The TCP connections of the ranks to rank 0, for launchers without MPI: they exchange the id that NCCL begins with, and
 * carry the word of a rank that fails to all others.
 */
export class RankLink {
  /** Rejects when another rank fails or vanishes; never resolves. */
  readonly lost: Promise<never>
  readonly #place: RankPlace
  /** By rank on the first; on the others only that to rank 0. */
  readonly #sockets = new Map<number, Socket>()
  readonly #left = new Set<number>()
  #lose!: (error: unknown) => void
  #closed = false
  #bytes!: (bytes: Uint8Array) => void
  readonly #received: Promise<Uint8Array>

  private constructor(place: RankPlace) {
    this.#place = place
    this.lost = new Promise<never>((_, reject) => (this.#lose = reject))
    // A rejection that is not awaited must not end the process.
    this.lost.catch(() => undefined)
    this.#received = new Promise((resolve) => (this.#bytes = resolve))
  }

  /**
   * Waits until every rank is connected. Throws `IFT_RANK_MISSING`, with the ranks that did not come, after `timeout`
   * seconds; `IFT_RANKS_ENVIRONMENT` where a rank belongs to another run or comes twice.
   */
  static async open(place: RankPlace, timeout: number): Promise<RankLink> {
    if (!place.master)
      throw new IftError(
        'IFT_RANKS_ENVIRONMENT',
        `${place.launcher}: the address of rank 0 is missing.`,
        'Set it on every rank: export IFT_MASTER_ADDR=HOST IFT_MASTER_PORT=29500',
      )
    const link = new RankLink(place)
    try {
      if (place.rank === 0) await link.#gather(place.master, timeout)
      else await link.#connect(place.master, timeout)
    } catch (error) {
      link.#closed = true
      for (const socket of link.#sockets.values()) socket.destroy()
      throw error
    }
    return link
  }

  /** Gives the bytes of rank 0 to every rank. */
  async exchange(bytes: Uint8Array | null): Promise<Uint8Array> {
    if (this.#place.rank !== 0) return Promise.race([this.#received, this.lost])
    const line = { bytes: Buffer.from(bytes ?? []).toString('base64') }
    for (const socket of this.#sockets.values()) send(socket, line)
    return bytes ?? new Uint8Array()
  }

  /** Tells all ranks that this one fails; returns when the word is out. Nothing after `close`. */
  async fail(message: string): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const line = { failed: this.#place.rank, message }
    await Promise.all(
      [...this.#sockets.values()].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once('close', resolve)
            socket.end(`${JSON.stringify(line)}\n`, () => {
              resolve()
            })
          }),
      ),
    )
  }

  /** Ends the connections after a good end. */
  close(): void {
    this.#closed = true
    for (const socket of this.#sockets.values()) socket.end(`${JSON.stringify({ bye: true })}\n`)
  }

  /** Waits for the other ranks to call. */
  async #gather(master: { readonly host: string; readonly ports: readonly number[] }, timeout: number) {
    const { worldSize, runId } = this.#place
    const server = createServer()
    let full!: () => void
    const all = new Promise<void>((resolve) => (full = resolve))
    const strangers = new Set<Socket>()
    server.on('connection', (socket) => {
      socket.setKeepAlive(true, quiet)
      strangers.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => strangers.delete(socket))
      let known = -1
      lines(socket, (line) => {
        if (known >= 0) {
          this.#take(known, line)
          return
        }
        if (!('magic' in line) || line.magic !== magic) {
          socket.destroy()
          return
        }
        const { rank } = line
        const why =
          line.runId !== runId
            ? `it belongs to run "${line.runId}" and rank 0 to run "${runId}"`
            : line.worldSize !== worldSize
              ? `it counts ${line.worldSize} ranks and rank 0 counts ${worldSize}`
              : !Number.isInteger(rank) || rank < 1 || rank >= worldSize
                ? `there is no such rank among ${worldSize}`
                : this.#sockets.has(rank)
                  ? 'there is one already'
                  : null
        if (why !== null) {
          socket.end(`${JSON.stringify({ refused: `Rank 0 refuses rank ${rank}: ${why}.` })}\n`)
          // Of this run, and with another idea of it: the two will never be complete.
          if (line.runId === runId && line.worldSize !== worldSize)
            this.#refuseRun(`rank ${rank} calls, and ${why}.`)
          return
        }
        known = rank
        strangers.delete(socket)
        this.#sockets.set(rank, socket)
        socket.on('close', () => {
          this.#take(rank, { failed: rank, message: 'its process has ended.' })
        })
        send(socket, { welcome: true })
        if (this.#sockets.size === worldSize - 1) full()
      })
    })
    try {
      await listen(server, master)
      const late = new AbortController()
      const timer = sleep(timeout * 1000, 'late' as const, { signal: late.signal }).catch(
        () => 'full' as const,
      )
      const end = await Promise.race([all, this.lost, timer])
      late.abort()
      if (end !== 'late') return
      const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter(
        (rank) => rank > 0 && !this.#sockets.has(rank),
      )
      const message = `${names(missing)} of ${worldSize} did not come: rank 0 waited ${timeout} s.`
      for (const socket of this.#sockets.values()) socket.end(`${JSON.stringify({ refused: message })}\n`)
      throw new IftError(
        'IFT_RANK_MISSING',
        message,
        'Look at what that rank wrote last, or wait longer: ranks.timeout in the config.',
      )
    } finally {
      server.close()
      for (const socket of strangers) socket.destroy()
      for (const socket of this.#sockets.values()) socket.unref()
    }
  }

  /** Ends the run on every rank that has come, as rank 0. */
  #refuseRun(message: string): void {
    for (const socket of this.#sockets.values()) send(socket, { failed: 0, message })
    this.#lose(
      new IftError(
        'IFT_RANKS_ENVIRONMENT',
        `The ranks of run "${this.#place.runId}" do not fit together: ${message}`,
        'Start every rank with the same number of ranks: WORLD_SIZE, or IFT_WORLD_SIZE',
      ),
    )
  }

  /** Calls rank 0 until it answers. */
  async #connect(
    { host, ports }: { readonly host: string; readonly ports: readonly number[] },
    timeout: number,
  ) {
    const { rank, worldSize, runId } = this.#place
    const until = performance.now() + timeout * 1000
    let last = 'no answer'
    for (;;) {
      for (const port of ports) {
        const left = until - performance.now()
        if (left <= 0)
          throw new IftError(
            'IFT_RANK_MISSING',
            `rank 0 of ${worldSize} did not come: it did not answer rank ${rank}, which called ${host}:${ports.join(', ')} for ${timeout} s (${last}).`,
            'Look at what rank 0 wrote last, check that its address can be reached, or wait longer: ranks.timeout.',
          )
        const answer = await this.#call(host, port, left, { magic, runId, rank, worldSize })
        if (answer === true) return
        last = answer
      }
      await sleep(Math.min(retryEvery, Math.max(1, until - performance.now())))
    }
  }

  /** Calls rank 0 once: true when it accepts this rank, the reason when it cannot be reached. A refusal throws. */
  #call(host: string, port: number, milliseconds: number, hello: Line): Promise<true | string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: quiet })
      let welcome = false
      socket.setTimeout(milliseconds, () => {
        resolve('no answer')
        socket.destroy()
      })
      socket.on('error', (error) => {
        resolve(error.message)
      })
      socket.on('connect', () => send(socket, hello))
      lines(socket, (line) => {
        if ('refused' in line) {
          const missing = / did not come: /.test(line.refused)
          const error = new IftError(missing ? 'IFT_RANK_MISSING' : 'IFT_RANKS_ENVIRONMENT', line.refused)
          reject(error)
          this.#lose(error)
          socket.destroy()
        } else if ('welcome' in line) {
          welcome = true
          socket.setTimeout(0)
          this.#sockets.set(0, socket)
          resolve(true)
        } else if (welcome) this.#take(0, line)
      })
      socket.on('close', () => {
        if (welcome) this.#take(0, { failed: 0, message: 'its process has ended.' })
        resolve('the connection was closed')
      })
    })
  }

  /** Handles a line from a rank that was accepted. */
  #take(rank: number, line: Line): void {
    if ('bytes' in line) {
      this.#bytes(new Uint8Array(Buffer.from(line.bytes, 'base64')))
      // From here on the connection must not keep a process alive that has nothing else to do.
      this.#sockets.get(rank)?.unref()
    } else if ('bye' in line) this.#left.add(rank)
    else if ('refused' in line) this.#lose(new IftError('IFT_RANK_MISSING', line.refused))
    else if ('failed' in line && !this.#closed && !this.#left.has(rank)) {
      this.#left.add(rank)
      this.#lose(failure(line.failed, line.message))
      if (this.#place.rank !== 0) return
      for (const [other, socket] of this.#sockets) if (other !== rank) send(socket, line)
    }
  }
}

/** Listens at the first free port: on the address that is named where it is this machine's, else on every one. */
async function listen(
  server: Server,
  { host, ports }: { readonly host: string; readonly ports: readonly number[] },
): Promise<void> {
  const tried: string[] = []
  const addresses = await lookup(host, { all: true }).catch(() => [])
  const hosts = [...addresses.map(({ address }) => address), undefined]
  for (const port of ports)
    for (const address of hosts) {
      const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
        server.once('error', resolve)
        server.listen({ port, host: address }, () => {
          server.off('error', resolve)
          resolve(null)
        })
      })
      if (!error) return
      tried.push(error.message)
      // A port that is taken here is not asked for on every address.
      if (error.code === 'EADDRINUSE') break
    }
  throw new IftError(
    'IFT_RANKS_ENVIRONMENT',
    `Rank 0 cannot listen at ${host}:${ports.join(', ')}: ${tried.join('; ')}.`,
    'Choose another port on every rank: MASTER_PORT, or IFT_MASTER_PORT',
  )
}
