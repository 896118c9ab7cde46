import { columns, defineCollection, template, through } from '@ift/core/collection'

const trimmed = (name: string) => through(name, (text) => text.trim())

/** Sentences to be translated, and those of WMT in a seeded direction. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'news-commentary': {
    files: ['news_commentary/news_commentary.json'],
    converted: ['news_commentary/news_commentary.json'],
    read: columns({
      instruction: trimmed('instruction'),
      input: trimmed('input'),
      output: trimmed('output'),
    }),
  },
  'news-commentary-wmt': {
    files: ['news-commentary-v*.en-zh*.tsv*'],
    header: ['en', 'zh'],
    quotes: false,
    read: template(
      [
        { instruction: '翻译成英文。', input: '{zh}', output: '{en}' },
        { instruction: '翻译成中文。', input: '{en}', output: '{zh}' },
      ],
      { en: 'en', zh: 'zh' },
    ),
  },
})
