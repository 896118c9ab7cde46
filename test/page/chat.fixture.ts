// The page over a server in this process: what it answers can be given, and slowed down.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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
import { quickstartModel } from '../cases/ift.fixture.js'
import { openPage, type OpenedPage, type OpenOptions } from './page.fixture.js'

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

/** The tiny model as `base`, and an adapter `warm` over it that changes what it says. */
export async function serveChat(): Promise<ChatServer> {
  const cwd = mkdtempSync(join(tmpdir(), 'ift-page-chat-'))
  writeAdapter(join(cwd, 'warm'))
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

/** A LoRA of rank 1 over a projection of the first layer, in PEFT's files. */
function writeAdapter(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'adapter_config.json'),
    JSON.stringify({
      ...{ peft_type: 'LORA', task_type: 'CAUSAL_LM', base_model_name_or_path: quickstartModel },
      ...{
        r: 1,
        lora_alpha: 1,
        lora_dropout: 0,
        bias: 'none',
        target_modules: ['o_proj'],
        layers_to_transform: [0],
      },
    }),
  )
  const name = (part: string) => `base_model.model.model.layers.0.self_attn.o_proj.lora_${part}.weight`
  const values = (from: number) => Float32Array.from({ length: 256 }, (_, i) => 0.3 * Math.sin(from + i))
  const tensors = {
    [name('A')]: { shape: [1, 256], data: values(1) },
    [name('B')]: { shape: [256, 1], data: values(2) },
  }
  let at = 0
  const entries = Object.entries(tensors).map(([key, { shape, data }]) => {
    const entry = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] }
    at += data.byteLength
    return [key, entry] as const
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const data = Object.values(tensors).map((tensor) => Buffer.from(tensor.data.buffer))
  writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.concat([length, header, ...data]))
}
