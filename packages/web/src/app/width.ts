import { signal, type Signal } from '@preact/signals'

/** Whether a media query holds. */
function matches(query: string): Signal<boolean> {
  const holds = signal(false)
  if (typeof matchMedia === 'undefined') return holds
  const list = matchMedia(query)
  holds.value = list.matches
  list.addEventListener('change', () => (holds.value = list.matches))
  return holds
}

/** Tabs at the bottom, one column, sheets. */
export const isPhone = matches('(width < 768px)')
/** A rail of icons, drawers that overlay; on phones too. */
export const isNarrow = matches('(width < 1024px)')
