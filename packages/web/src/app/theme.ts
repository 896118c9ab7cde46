import { computed, effect, signal } from '@preact/signals'
import { oneOf, stored } from './stored.js'

export type Theme = 'light' | 'dark' | 'system'

/** What was chosen. */
export const theme = stored<Theme>('theme', () => 'system', oneOf('light', 'dark', 'system'))

const prefersDark = signal(false)

/** What is shown. */
export const shownTheme = computed(() =>
  theme.value === 'system' ? (prefersDark.value ? 'dark' : 'light') : theme.value,
)

/** Keeps `data-theme` of the document the theme that is shown. */
export function watchTheme(): void {
  const query = matchMedia('(prefers-color-scheme: dark)')
  prefersDark.value = query.matches
  query.addEventListener('change', () => (prefersDark.value = query.matches))
  effect(() => {
    document.documentElement.dataset['theme'] = shownTheme.value
  })
}

/** Light, dark, system, and light again. */
export function nextTheme(): void {
  theme.value = theme.value === 'light' ? 'dark' : theme.value === 'dark' ? 'system' : 'light'
}
