import { computed, effect } from '@preact/signals'
import { oneOf, stored } from './stored.js'

export type Language = 'en' | 'zh'

/** The language of the page: that of the browser until one is chosen. */
export const language = stored<Language>(
  'language',
  () => (typeof navigator !== 'undefined' && navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'),
  oneOf('en', 'zh'),
)

/** As `lang` takes it, and Intl. */
export const locale = computed(() => (language.value === 'zh' ? 'zh-CN' : 'en'))

/** Keeps `lang` of the document what the page is written in. */
export const watchLanguage = () =>
  effect(() => {
    document.documentElement.lang = locale.value
  })

/**
 * The words of a view in both languages: the table of the chosen one. Keys are the same by type; values with parameters are functions.
 */
export const words =
  <T extends object>(table: { readonly en: T; readonly zh: NoInfer<T> }) =>
  (): T =>
    table[language.value]

/** The language that a text is written in, for the glyphs of it: Chinese where it holds any Chinese, undefined otherwise. */
export const languageOf = (text: string): string | undefined =>
  /\p{Script=Han}/u.test(text) ? 'zh-CN' : undefined
