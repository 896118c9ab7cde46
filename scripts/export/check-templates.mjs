// @ts-check
// Asks a server of llama.cpp (xllamacpp) for the text and ids of chats, with GGUF files that ift wrote of every template, and compares both with
// ift's own prompts.
//   node scripts/export/check-templates.mjs [--out scripts/export/templates.json]
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { encodePrompt, Ift } from '@ift/core'
import { exportModel } from '@ift/export'
import { pythonWith } from '../../bench/peer-packages.mjs'
import { makeTinyModel } from './tiny-models.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({ options: { out: { type: 'string' } } })

/** Model and template; families with special tokens of their own have models of their own. */
const pairs = [
  ...['alpaca', 'belle', 'vicuna', 'llama2', 'plain', 'completion'].map((template) => ['llama', template]),
  ['qwen2', 'chatml'],
  ['qwen2', 'alpaca'],
  ['internlm', 'internlm'],
  ['internlm2', 'chatml'],
  ['baichuan', 'baichuan'],
  ['baichuan2', 'baichuan2'],
  ['chatglm2', 'chatglm2'],
  ['chatglm3', 'chatglm3'],
  ['glm4-9b', 'glm4'],
  ['gemma', 'chat'],
  ['phi3', 'chat'],
  ['bloom', 'alpaca'],
]
/** @param {readonly string[]} texts @returns {import('@ift/core').Message[]} */
const turns = (...texts) =>
  texts.map((content, i) => ({
    role: /** @type {'user' | 'assistant'} */ (i % 2 === 0 ? 'user' : 'assistant'),
    content,
  }))
const chats = [
  turns('What is 2 + 2?'),
  turns('你好，世界', '你好！', '再见'),
  turns('It\'s "quoted"', 'Yes.', 'Why?', 'So.', 'And {{ this }}?'),
  [{ role: /** @type {const} */ ('system'), content: 'Be brief.' }, ...turns('Name a\nprime.')],
  [{ role: /** @type {const} */ ('system'), content: 'Be brief.' }, ...turns('Red?', 'Blue.', 'Green?')],
]

const dir = mkdtempSync(join(tmpdir(), 'ift-templates-'))
const python = pythonWith(['xllamacpp'])
/** @type {Record<string, unknown>} */
const results = {}
let failed = 0
try {
  for (const [name, template] of /** @type {[string, string][]} */ (pairs)) {
    const weights = join(dir, name)
    await makeTinyModel(weights, name)
    const config = { weights, device: 'cpu', ...(template === 'chat' ? {} : { template }) }
    const file = join(dir, `${name}-${template}.gguf`)
    await exportModel({ cwd: root, config }, { format: 'gguf', out: file, options: { type: 'f32' } })
    /** @type {{ messages: unknown, ids: number[] }[]} */
    const cases = []
    await Ift.using({ cwd: root, config }, async (ift) => {
      const open = await ift.openModel()
      for (const messages of chats)
        try {
          cases.push({
            messages,
            ids: [...(await encodePrompt({ messages }, open.template, open.tokenizer))],
          })
        } catch {
          // Gemma's own template takes no system message.
        }
    })
    writeFileSync(join(dir, 'cases.json'), JSON.stringify(cases))
    const found = JSON.parse(
      execFileSync(python, [join(root, 'scripts/export/chat_ids.py'), file, join(dir, 'cases.json')], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    )
    const wrong = cases.flatMap(({ ids, messages }, i) =>
      found[i].ids.join() === ids.join() ? [] : [{ messages, expected: ids, ...found[i] }],
    )
    results[`${name} ${template}`] = {
      chats: cases.length,
      other: wrong.length,
      ...(wrong.length > 0 && { first: wrong[0] }),
    }
    if (wrong.length > 0) failed++
    console.log(name, template, JSON.stringify(results[`${name} ${template}`]))
  }
} finally {
  rmSync(dir, { recursive: true })
}
if (values.out)
  writeFileSync(values.out, `${JSON.stringify({ xllamacpp: '2026.10.11549', results }, null, 2)}\n`)
console.log(failed === 0 ? 'all as expected' : `${failed} differ`)
process.exitCode = failed === 0 ? 0 : 1
