import type { RefObject } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

const focusable =
  'a[href], button, input:not([type="hidden"]), textarea, select, [tabindex]:not([tabindex="-1"])'

/**
 * What floats over the page: Escape closes it, focus goes into it, stays in it where it is `modal`, and goes back to where it was. Returns
 * the ref of its element.
 */
export function useLayer<T extends HTMLElement>(
  onClose: () => void,
  { modal = false, still = false } = {},
): RefObject<T | null> {
  const layer = useRef<T>(null)
  const newest = useRef(onClose)
  newest.current = onClose
  // When it is opened: what is in it may take the focus before its own effect.
  const opener = useRef(document.activeElement)
  useEffect(() => {
    const before = opener.current
    const own = layer.current!
    if (!still && !own.contains(document.activeElement))
      (own.querySelector<HTMLElement>('[data-first]') ?? own).focus({ preventScroll: true })
    const onKeyDown = (event: KeyboardEvent) => {
      // A click may have left nothing focused; of several layers the one that was opened last closes.
      const layers = document.querySelectorAll('[data-layer]')
      if (event.key === 'Escape' && !event.isComposing && layers[layers.length - 1] === own) {
        event.preventDefault()
        event.stopPropagation()
        newest.current()
      }
      if (event.key !== 'Tab' || !modal || !own.contains(event.target as Node)) return
      const all = [...own.querySelectorAll<HTMLElement>(focusable)].filter(
        (one) => one.offsetParent !== null && one.tabIndex >= 0,
      )
      const edge = event.shiftKey ? all[0] : all[all.length - 1]
      if (document.activeElement !== edge && document.activeElement !== own) return
      event.preventDefault()
      ;(event.shiftKey ? all[all.length - 1] : all[0])?.focus()
    }
    document.addEventListener('keydown', onKeyDown, true)
    return () => {
      document.removeEventListener('keydown', onKeyDown, true)
      const isLost = document.activeElement === document.body || own.contains(document.activeElement)
      if (isLost && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])
  return layer
}
