import { join } from 'node:path'
import { adapterConfig, adapterWeights } from '../../files/adapter-files.js'
import { StoredAdapter, type WritableFormat } from './format.js'
import { openTensors } from './open-tensors.js'

/**
 * Hugging Face PEFT: settings with `peft_type`, and tensors under `base_model.model.` and the path of their module. Bottleneck
 * adapters of Alpaca-CoT and LLM-Adapters are written by a copy of an early PEFT, as `BOTTLENECK` in the same files.
 */
export const peftFormat: WritableFormat = {
  program: 'PEFT',
  weights: adapterWeights.peft,
  fits: ({ config }) => config !== null && (config['peft_type'] ?? null) !== null,
  async open({ dir, config }, weights) {
    return new StoredAdapter(
      weights,
      [weights, join(dir, adapterConfig)],
      config!,
      await openTensors(weights),
    )
  },
  written: 'adapter_model.safetensors',
  settings: (config) => config,
}
