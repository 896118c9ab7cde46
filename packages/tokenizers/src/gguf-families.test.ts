import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { IftError } from '@ift/core'
import { loadTokenizer } from './index.js'

// As llama.cpp's converter writes them: scripts/reference/make_gguf_tokenizers.py.

const fixtures = fileURLToPath(new URL('../../../fixtures', import.meta.url))
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(fixtures, path), 'utf8'))
const lines = readJson('real-tokenizers/lines.json') as string[]
const load = (name: string) => loadTokenizer(join(fixtures, 'gguf-tokenizers', `${name}.gguf`))

describe.each([
  ['llama', 'family-tokenizers/llama'],
  ['baichuan', 'family-tokenizers/baichuan'],
  ['baichuan2', 'chat/baichuan2'],
  ['internlm2', 'family-tokenizers/internlm2'],
  ['internlm2-chat', 'chat/internlm2'],
  ['phi3', 'family-tokenizers/phi'],
  ['qwen', 'family-tokenizers/qwen'],
])('%s', (name, folder) => {
  test('ids and text of hard lines are those of the original tokenizer', async () => {
    const [found, expected] = [await load(name), await loadTokenizer(join(fixtures, folder))]
    for (const specials of [false, true]) {
      const wanted = await expected.encodeBatch(lines, { specials })
      for (const [i, { ids }] of (await found.encodeBatch(lines, { specials })).entries()) {
        expect([...ids], JSON.stringify(lines[i])).toEqual([...wanted[i]!.ids])
        expect(await found.decode(ids)).toBe(await expected.decode(ids))
      }
    }
  })

  test('special tokens are ids, and take the blanks that are theirs', async () => {
    const [found, expected] = [await load(name), await loadTokenizer(join(fixtures, folder))]
    expect([...found.specials].sort()).toEqual([...expected.specials].sort())
    // In the published tokenizer of Phi-3 `</s>` takes blanks and `<|endoftext|>` none; in the fixture it is the other way round.
    const own = [...expected.specials.keys()].filter(
      (text) => name !== 'phi3' || !['</s>', '<|endoftext|>'].includes(text),
    )
    const texts = own.map((text) => `a${text}\n b ${text}${text}  c`)
    for (const text of texts)
      expect([...(await found.encode(text, { specials: true })).ids], text).toEqual([
        ...(await expected.encode(text, { specials: true })).ids,
      ])
  })
})

interface Golden {
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[]
  readonly special: Readonly<Record<string, number>>
  readonly frame: { readonly before: number[]; readonly after: number[] }
}

test.each([
  ['chatglm3', 'chat/chatglm3'],
  ['glm4', 'chat/glm4-hf'],
])('%s: ids, special tokens and what stands before a prompt', async (name, folder) => {
  const tokenizer = await load(name)
  const golden = readJson(`${folder}/golden.json`) as Golden
  for (const { text, ids, decoded } of golden.cases) {
    expect([...(await tokenizer.encode(text)).ids], text).toEqual(ids)
    expect(await tokenizer.decode(ids)).toBe(decoded)
  }
  for (const [text, id] of Object.entries(golden.special)) expect(tokenizer.specials.get(text), text).toBe(id)
  expect(tokenizer.frame).toEqual(golden.frame)
  expect([tokenizer.addBos && tokenizer.bosId !== null, tokenizer.addEos]).toEqual([
    name === 'chatglm3',
    false,
  ])
})

test('a folder has the tokenizer of its one GGUF file, and none of several', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-gguf-folder-'))
  const copy = (name: string, as: string) => {
    copyFileSync(join(fixtures, 'gguf-tokenizers', `${name}.gguf`), join(dir, as))
  }
  try {
    copy('llama', 'model.gguf')
    copy('qwen', 'adapter_model.gguf')
    expect((await loadTokenizer(dir)).fingerprint).toBe((await load('llama')).fingerprint)
    copy('qwen', 'other.gguf')
    await expect(loadTokenizer(dir)).rejects.toMatchObject({ code: 'IFT_TOKENIZER_MISSING' })
    expect((await loadTokenizer(join(dir, 'other.gguf'))).fingerprint).toBe((await load('qwen')).fingerprint)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.each(['llama', 'qwen'])(
  '%s: a file that was cut or changed anywhere opens, or ends in an error of ift',
  async (name) => {
    const dir = mkdtempSync(join(tmpdir(), 'ift-gguf-changed-'))
    const whole = readFileSync(join(fixtures, 'gguf-tokenizers', `${name}.gguf`))
    const path = join(dir, 'changed.gguf')
    const other: unknown[] = []
    let refused = 0
    try {
      for (let i = 0; i < 80; i++) {
        const at = (i * 7919) % (i % 2 === 0 ? 2048 : whole.length)
        const bytes = i % 5 === 0 ? whole.subarray(0, at) : Buffer.from(whole)
        if (i % 5 !== 0) bytes[at] = (bytes[at]! + 1 + ((i * 31) % 255)) % 256
        writeFileSync(path, bytes)
        await loadTokenizer(path).catch((error: unknown) => {
          refused++
          if (!(error instanceof IftError)) other.push([at, error])
        })
      }
    } finally {
      rmSync(dir, { recursive: true })
    }
    expect(other).toEqual([])
    expect(refused).toBeGreaterThan(20)
  },
)
