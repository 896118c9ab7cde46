// The page over a server in this process: what it answers can be given, and slowed down.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { definePlugin, Ift } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { createServer, listen } from '@ift/serve'
import { script } from '../../packages/serve/src/scripted.fixture.js'
import { writeTinyAdapter } from '../../packages/serve/src/server.fixture.js'
import { quickstartModel } from '../cases/ift.fixture.js'
import { openPage, writeRun, type OpenedPage, type OpenOptions } from './page.fixture.js'

/** What `pnpm --filter @ift/web build` writes. */
export const ui = fileURLToPath(new URL('../../packages/web/ui', import.meta.url))

export interface ChatServer {
  readonly url: string
  /** Gives the text of the next answers; '' leaves them to the model. */
  say(text: string): Promise<void>
  /** Milliseconds that each token takes longer. */
  slow(milliseconds: number): void
  open(browser: Browser, options?: OpenOptions): Promise<OpenedPage>
  close(): Promise<void>
}

const token = 'abcdefghijklmnopqrstuv'

/** The tiny model as `base`, an adapter `warm` over it that changes what it says, and a run `tea` with a checkpoint. */
export async function serveChat(): Promise<ChatServer> {
  const cwd = mkdtempSync(join(tmpdir(), 'ift-page-chat-'))
  writeTinyAdapter(join(cwd, 'warm'))
  const run = join(cwd, 'ift-runs/tea')
  writeRun(run, { steps: 6, config: { weights: quickstartModel } })
  writeTinyAdapter(join(run, 'checkpoints/step-6/adapter'))
  writeFileSync(join(run, 'checkpoints/step-6/hashes.json'), '{}')
  let pause = 0
  const slowed = definePlugin('slowed', (ift) => {
    const clock = new Int32Array(new SharedArrayBuffer(4))
    ift.hooks.logits.tap('slowed', () => {
      if (pause > 0) Atomics.wait(clock, 0, 0, pause)
    })
  })
  const given = script()
  const ift = await Ift.load({
    cwd,
    config: {
      ...{ weights: quickstartModel, template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 2 },
      adapter: { warm: './warm' },
    },
    plugins: [cpu, llama, lora, given.plugin, slowed],
  })
  const server = createServer(ift, { name: 'base', page: { folder: ui, program: null, token } })
  await server.ready
  const listening = await listen(server, { port: 0 })
  const { url } = listening
  return {
    url,
    say: (text) => given.say(ift, text),
    slow: (milliseconds) => {
      pause = milliseconds
    },
    open: (browser, options) => openPage(browser, { address: `${url}/#t=${token}`, url, ...options }),
    async close() {
      await listening.close(0)
      await server.close()
      await ift.close()
      rmSync(cwd, { recursive: true })
    },
  }
}
