import { columns, defineCollection, through } from '@ift/core/collection'

/** Steps with tools for images. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  gpt4tools: {
    files: ['gpt4tools_71k.json'],
    converted: ['gpt4tools/gpt4tools.json'],
    read: columns({
      instruction: 'instruction',
      input: 'input',
      output: through('output', (text) => text.trimEnd()),
    }),
  },
})
