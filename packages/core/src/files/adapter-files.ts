// Names of the files that adapters lie in, for those who read them and those who look for them.

/** Settings of an adapter, in most formats. */
export const adapterConfig = 'adapter_config.json'

/** Files of tensors by format, one of which is there; the preferred first. */
export const adapterWeights = {
  /** Hugging Face PEFT. */
  peft: ['adapter_model.safetensors', 'adapter_model.bin'],
  /** AdapterHub's `adapters`. */
  adapterHub: ['adapter.safetensors', 'pytorch_adapter.bin'],
  /** ChatGLM's P-tuning v2, which has the names of a model, and config.json in place of adapter_config.json. */
  prefixEncoder: ['model.safetensors', 'pytorch_model.bin'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** Whether a file holds tensors of an adapter, or of a head or a fusion of AdapterHub beside one, by its name. */
export const isAdapterFile = (name: string): boolean =>
  /^(?:adapter_model\.|adapter\.safetensors$|pytorch_adapter\.bin$|model_head\.|pytorch_model_head\.|(?:pytorch_)?model_adapter_fusion\.)/.test(
    name,
  )
