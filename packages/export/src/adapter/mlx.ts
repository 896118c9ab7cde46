import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  IftError,
  writeFileAtomic,
  writeSafetensors,
  type ExportDefinition,
  type TensorToWrite,
} from '@ift/core'
import { loraFactors } from './factors.js'

const wayOut = 'Fold it into the model, which MLX converts: npx ift export hf DIR'

/** Rows and columns exchanged, with `times` as many values in every row of the result as `cols` has, the rest zero. */
function turned(
  values: Float32Array,
  rows: number,
  cols: number,
  factor: number,
  wide: number,
): Float32Array {
  const result = new Float32Array(cols * wide)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) result[j * wide + i] = values[i * cols + j]! * factor
  return result
}

/** An adapter of LoRA as mlx-lm reads it: factors the other way round, one rank and scale for all. */
export const mlxAdapter: ExportDefinition = {
  name: 'mlx-adapter',
  description: 'An adapter of LoRA as a folder for mlx-lm.',
  async run(context) {
    const { out } = context
    const open = await context.adapted()
    const factors = loraFactors(await open.peft.save(), 'An MLX adapter', wayOut)
    const [first] = factors
    if (!first) throw new IftError('IFT_EXPORT_UNSUPPORTED', 'The adapter adapts no layer.', wayOut)
    const keys = new Set<string>()
    for (const { path } of factors) {
      const [, key] = /\.layers\.\d+\.(.+)$/.exec(path) ?? []
      if (key === undefined)
        throw new IftError(
          'IFT_EXPORT_UNSUPPORTED',
          `mlx-lm adapts modules of layers, and not ${path}.`,
          wayOut,
        )
      keys.add(key)
    }
    await context.claim(out)
    const rank = Math.max(...factors.map(({ r }) => r))
    const { scale } = first
    const tensor = (
      name: string,
      shape: readonly number[],
      make: () => Promise<Float32Array>,
    ): TensorToWrite => ({
      name,
      dtype: 'F32',
      shape,
      async *bytes() {
        const values = await make()
        yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      },
    })
    const tensors = factors.flatMap((one) => {
      const { path, r, input, out: width } = one
      return [
        tensor(`${path}.lora_a`, [input, rank], async () => turned((await one.read()).a, r, input, 1, rank)),
        tensor(`${path}.lora_b`, [rank, width], async () => {
          const b = turned((await one.read()).b, width, r, one.scale / scale, width)
          const wide = new Float32Array(rank * width)
          wide.set(b)
          return wide
        }),
      ]
    })
    await mkdir(out, { recursive: true })
    await writeSafetensors(join(out, 'adapters.safetensors'), tensors, {})
    const settings = {
      fine_tune_type: 'lora',
      model: open.name,
      num_layers: open.shape.layers,
      lora_parameters: { rank, scale, dropout: 0, keys: [...keys] },
    }
    await writeFileAtomic(join(out, 'adapter_config.json'), `${JSON.stringify(settings, null, 2)}\n`)
    return { written: [out], next: `mlx_lm.generate --model ${open.name} --adapter-path ${out}` }
  },
}
