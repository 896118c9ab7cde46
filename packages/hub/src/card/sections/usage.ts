import type { CardFacts } from '../facts.js'
import { fence } from '../names.js'

/** Ranks that vLLM has kernels for (`--max-lora-rank`). */
const vllmRanks = [8, 16, 32, 64, 128, 256, 320, 512]

/** A word of a shell that nothing in it can end. */
const word = (text: string) =>
  /^[\w./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`

/** How the adapter is run in ift, PEFT, vLLM and llama.cpp, as far as they can. */
export function usageSection({ repo, base, settings, example, title }: CardFacts): string {
  const adapter = repo ?? './adapter'
  const hasBase = base?.id !== undefined
  // A base that lies in a folder of somebody else is to be named.
  const model = hasBase ? base.id : './base'
  const weights = hasBase ? '' : ` --weights ${model}`
  const parts = [
    '## How to run it',
    ...(hasBase
      ? []
      : [`\`${model}\` stands for the folder of the base, ${base?.name ?? 'which the run did not record'}.`]),
    `**ift** reads template and tokenizer beside the adapter:`,
    fence(
      [
        `npx ift chat --adapter ${word(adapter)}${weights}`,
        `npx ift serve --adapter ${word(adapter)}${weights}`,
      ].join('\n'),
      'sh',
    ),
  ]
  if (settings.peft_type !== undefined) {
    const prompt = JSON.stringify(example?.prompt ?? 'Hello')
    parts.push(
      '**PEFT**, with the prompt as the template writes it:',
      fence(
        [
          'from peft import PeftModel',
          'from transformers import AutoModelForCausalLM, AutoTokenizer',
          '',
          `tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(adapter)})`,
          `model = AutoModelForCausalLM.from_pretrained(${JSON.stringify(model)})`,
          `model = PeftModel.from_pretrained(model, ${JSON.stringify(adapter)})`,
          `inputs = tokenizer(${prompt}, return_tensors="pt")`,
          'ids = model.generate(**inputs, max_new_tokens=200)[0]',
          'print(tokenizer.decode(ids, skip_special_tokens=True))',
        ].join('\n'),
        'python',
      ),
    )
  }
  if (settings.peft_type === 'LORA') {
    const rank = vllmRanks.find((one) => one >= (settings.r ?? 8))
    const name = (repo?.split('/')[1] ?? title).replaceAll(/[^\w.-]+/g, '-')
    if (rank !== undefined)
      parts.push(
        '**vLLM**; `npx ift export vllm` checks an adapter against its limits:',
        fence(
          `vllm serve ${word(model)} --enable-lora --max-lora-rank ${rank} --lora-modules ${name}=${word(adapter)}`,
          'sh',
        ),
      )
    parts.push(
      '**llama.cpp**, over the base as a GGUF file:',
      fence(
        [
          `npx ift export gguf-adapter ./adapter.gguf --adapter ${word(adapter)}${weights}`,
          'llama-cli -m base.gguf --lora adapter.gguf',
        ].join('\n'),
        'sh',
      ),
    )
  }
  return parts.join('\n\n')
}
