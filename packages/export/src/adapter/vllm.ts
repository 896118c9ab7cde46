import { basename } from 'node:path'
import { IftError, writeAdapter, type ExportDefinition } from '@ift/core'
import { loraFactors } from './factors.js'

const wayOut = 'Fold it into the model, which vLLM serves: npx ift export hf DIR'

/** Values that --max-lora-rank takes. */
const ranks = [8, 16, 32, 64, 128, 256, 320, 512]

/** An adapter of LoRA in PEFT's files, checked against what vLLM loads. */
export const vllm: ExportDefinition = {
  name: 'vllm',
  description: 'An adapter of LoRA for vLLM, checked against its limits.',
  async run(context) {
    const { out, options } = context
    const open = await context.adapted()
    const files = await open.peft.save()
    const factors = loraFactors(files, 'vLLM', wayOut)
    const bias = files.config['bias'] ?? 'none'
    if (bias !== 'none')
      throw new IftError(
        'IFT_EXPORT_UNSUPPORTED',
        `vLLM loads no adapter with bias "${bias as string}".`,
        wayOut,
      )
    const largest = Math.max(...factors.map(({ r }) => r))
    const most = options.maxLoraRank ?? 512
    const rank = ranks.find((one) => one >= largest)
    if (rank === undefined || largest > most)
      throw new IftError(
        'IFT_EXPORT_UNSUPPORTED',
        `The adapter has the rank ${largest}, and vLLM loads ${Math.min(most, 512)} at most.`,
        wayOut,
      )
    await context.claim(out)
    await writeAdapter(out, files, (dir: string) => open.tokenizer.save(dir))
    return {
      written: [out],
      readBack: { weights: open.name, adapter: out },
      tolerance: 1e-4,
      next: `vllm serve ${open.name} --enable-lora --max-lora-rank ${rank} --lora-modules ${basename(open.adapterDir)}=${out}`,
    }
  },
}
