import { columns, defineCollection } from '@ift/core/collection'

const read = columns(
  {
    instruction: ['instruction', 'instruction_zh', '指令'],
    input: ['input', 'input_zh', '输入'],
    output: ['output', 'output_zh', '输出'],
  },
  { blanks: true },
)

/** Alpaca's tasks answered by GPT-4. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'alpaca-gpt4': {
    files: [['data/alpaca_gpt4_data.json', 'alpaca_gpt4_data_en.json']],
    converted: ['alpacaGPT4/alpaca_gpt4_data.json'],
    read,
  },
  'alpaca-gpt4-zh': {
    files: ['data/alpaca_gpt4_data_zh.json'],
    converted: ['alpacaGPT4/alpaca_gpt4_data_zh.json'],
    read,
  },
})
