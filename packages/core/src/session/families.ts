/**
 * What the packages of this project read, as `architectures` and `model_type` of config.json write it, so that an error can
 * name the package to install. `find-family.test.ts` compares it with what the packages register.
 */
export const families: Readonly<Record<string, readonly string[]>> = {
  llama: ['LlamaForCausalLM', 'LLaMAForCausalLM', 'MistralForCausalLM', 'llama', 'mistral'],
  chatglm: [
    'ChatGLMModel',
    'ChatGLMForConditionalGeneration',
    'GlmForCausalLM',
    'Glm4ForCausalLM',
    'chatglm',
    'glm',
    'glm4',
  ],
  bloom: ['BloomForCausalLM', 'BloomModel', 'bloom'],
  moss: ['MossForCausalLM', 'CodeGenForCausalLM', 'GPTJForCausalLM', 'moss', 'codegen', 'gptj'],
  qwen: ['Qwen2ForCausalLM', 'Qwen3ForCausalLM', 'qwen2', 'qwen3'],
  baichuan: ['BaiChuanForCausalLM', 'BaichuanForCausalLM', 'baichuan'],
  internlm: ['InternLMForCausalLM', 'InternLM2ForCausalLM', 'internlm', 'internlm2'],
  gemma: ['GemmaForCausalLM', 'Gemma3ForCausalLM', 'gemma', 'gemma3_text'],
  phi: ['Phi3ForCausalLM', 'phi3'],
}

/** The package of this project that reads one of the architectures or model types. */
export function packageOf(names: readonly string[]): string | undefined {
  const found = Object.entries(families).find(([, known]) => names.some((name) => known.includes(name)))
  return found && `@ift/model-${found[0]}`
}
