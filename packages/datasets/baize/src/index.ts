import { defineCollection, transcript } from '@ift/core/collection'

const sources = ['alpaca', 'quora', 'stackoverflow', 'medical']

/** Self-chat of ChatGPT as one text with marks. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  baize: {
    files: sources.map((source) => `data/${source}_chat_data.json`),
    some: true,
    converted: [`baize/{${sources.join(',')}}.json`],
    read: transcript('input', { user: '[|Human|]', assistant: '[|AI|]', head: 'drop', meta: ['topic'] }),
  },
})
