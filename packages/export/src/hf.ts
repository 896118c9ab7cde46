import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  IftError,
  saveModel,
  type ExportDefinition,
  type ExportedModel,
  type SaveModelOptions,
} from '@ift/core'

const units: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
}

/** Bytes of a size as transformers writes them: 5GB, 400MB, 2GiB. */
export function bytesOf(size: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMG]i?)?B?$/i.exec(size.trim()) ?? []
  const bytes = Math.floor(Number(number) * units[unit.toUpperCase()]!)
  if (number !== undefined && bytes > 0) return bytes
  throw new IftError(
    'IFT_USAGE',
    `--max-shard-size: expected a size, found "${size}".`,
    '--max-shard-size 5GB',
  )
}

const types = new Map([
  ['float32', 'f32'],
  ['float16', 'f16'],
  ['bfloat16', 'bf16'],
])

/** The type of the weights: as asked, or that of the checkpoint. */
function typeOf({ json }: ExportedModel, asked: string | undefined): SaveModelOptions['dtype'] {
  const own = json['torch_dtype'] ?? json['dtype']
  const type = asked ?? (typeof own === 'string' ? types.get(own) : undefined) ?? 'f32'
  if (type === 'f32' || type === 'f16' || type === 'bf16') return type
  throw new IftError('IFT_USAGE', `--type: expected f32, f16 or bf16, found "${type}".`, '--type bf16')
}

/** The template as transformers applies it: with the bos that a prompt of ift begins with. */
export function chatTemplate({ tokenizer, template }: ExportedModel): string | null {
  const { sources } = template
  if (!sources) return null
  const own = sources.jinja(true)
  if (own === tokenizer.chatTemplate || !tokenizer.addBos || tokenizer.bosId === null) return own
  return `{{ bos_token }}${sources.jinja(false)}`
}

const tolerances = { f32: 1e-5, f16: 1e-2, bf16: 5e-2 } as const

/** A model in Hugging Face's layout. */
export const hf: ExportDefinition = {
  name: 'hf',
  description: "A model in Hugging Face's layout, in shards.",
  async run(context) {
    const { out, options } = context
    const open = await context.merged()
    const dtype = typeOf(open, options.type)
    const maxShardBytes = options.maxShardSize === undefined ? undefined : bytesOf(options.maxShardSize)
    await context.claim(out)
    const jinja = chatTemplate(open)
    await saveModel(out, {
      ...open,
      configJson: open.json,
      dtype,
      maxShardBytes,
      record: { template: open.template.name, eos_token_id: open.learned },
      tokenizer: {
        async save(dir) {
          const names = await open.tokenizer.save(dir)
          if (jinja === null || jinja === open.tokenizer.chatTemplate) return names
          await writeFile(join(dir, 'chat_template.jinja'), jinja)
          return [...names, 'chat_template.jinja']
        },
      },
    })
    return { written: [out], readBack: { weights: out }, tolerance: tolerances[dtype] }
  },
}
