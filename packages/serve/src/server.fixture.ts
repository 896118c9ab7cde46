// A server over a tiny model, for tests.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ift, type IftConfig, type IftPlugin } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { createServer, type Server } from './server.js'
import type { ServeOptions } from './options.js'

/** The model of the quick start: 4.7 M parameters, 2,048 tokens, 512 positions, trained on words. */
export const tinyModel = fileURLToPath(new URL('../../../examples/quickstart/model', import.meta.url))

/** A folder with the tiny model and a chat template of its own; whoever makes it removes it. */
export function modelWithTemplate(template: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ift-serve-model-'))
  cpSync(tinyModel, folder, { recursive: true })
  const file = join(folder, 'tokenizer_config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...config, chat_template: template }))
  return folder
}

export interface TestServer {
  readonly ift: Ift
  readonly server: Server
  /** Sends JSON; the path begins with a slash. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>
  get(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** A server over the tiny model, whose replies have the ids 1, 2, … and one time. */
export async function testServer(
  options: ServeOptions = {},
  config: Partial<IftConfig> = {},
  plugins: readonly IftPlugin[] = [],
): Promise<TestServer> {
  const cwd = mkdtempSync(join(tmpdir(), 'ift-serve-'))
  const base: IftConfig = { weights: tinyModel, template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 2 }
  const ift = await Ift.load({ cwd, config: { ...base, ...config }, plugins: [cpu, llama, ...plugins] })
  let ids = 0
  const stamp = { now: () => 1_790_000_000_000, id: () => String(++ids) }
  const server = createServer(ift, { stamp, name: 'tiny', ...options })
  await server.ready
  const to = (path: string) => new URL(path, 'http://127.0.0.1:8410')
  return {
    ...{ ift, server },
    post: (path, body, init = {}) =>
      server.fetch(
        new Request(to(path), {
          method: 'POST',
          body: typeof body === 'string' ? body : JSON.stringify(body),
          ...init,
          headers: withHeaders(init.headers, { 'content-type': 'application/json' }),
        }),
      ),
    get: (path, init = {}) =>
      server.fetch(new Request(to(path), { ...init, headers: withHeaders(init.headers) })),
    async close() {
      await server.close()
      await ift.close()
      rmSync(cwd, { recursive: true })
    },
  }
}

/** Headers of a client on this machine, with those of a test. */
function withHeaders(given: RequestInit['headers'], more: Readonly<Record<string, string>> = {}): Headers {
  const headers = new Headers({ host: '127.0.0.1:8410', ...more })
  for (const [name, value] of new Headers(given)) headers.set(name, value)
  return headers
}

/** A LoRA of rank 1 over a projection of the first layer, in PEFT's files. */
export function writeTinyAdapter(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'adapter_config.json'),
    JSON.stringify({
      ...{ peft_type: 'LORA', task_type: 'CAUSAL_LM', base_model_name_or_path: tinyModel },
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
