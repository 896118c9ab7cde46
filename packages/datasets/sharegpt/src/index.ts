import { defineCollection, messages, speakers } from '@ift/core/collection'
import { answer } from './answer.js'

const read = messages(
  'conversations',
  { ...speakers, bing: null },
  { repair: true, text: (text, role) => (role === 'assistant' ? answer(text) : text) },
)

const cleaned = (part: number) => `HTML_cleaned_raw_dataset/sg_90k_part${part}_html_cleaned.json`

/** ShareGPT as it was collected, and as it was cut for Vicuna. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  sharegpt: {
    files: [1, 2].map((part) => [`sg_90k_part${part}.json`, cleaned(part)]),
    some: true,
    converted: ['ShareGPT/sharegpt.json'],
    read,
  },
  'sharegpt-vicuna': {
    files: [
      ['ShareGPT_V3_unfiltered_cleaned_split_no_imsorry.json', 'ShareGPT_V4.3_unfiltered_cleaned_split.json'],
    ],
    read,
  },
})
