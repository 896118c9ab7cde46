import { useLayoutEffect, useRef } from 'preact/hooks'

export interface KeyAction {
  readonly run: (event: KeyboardEvent) => void
  /** Also while something is typed. */
  readonly whileTyping?: boolean
}

/** Actions by keys: `j`, `Escape`, `mod+k` (Ctrl, or ⌘ on a Mac), `shift+Enter`, `[`. */
export type KeyMap = Readonly<Record<string, ((event: KeyboardEvent) => void) | KeyAction>>

/** Whether a key goes into a text. Radio buttons, checkboxes and sliders take arrows and space, no letters. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  )
    return true
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(target.type)
}

/** How a `KeyMap` names the key of an event; null for keys that input methods take. */
export function nameOf(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'isComposing'>,
) {
  // 229 of old browsers is "Process" in new ones: the key belongs to an input method.
  if (event.isComposing || event.key === 'Process' || event.altKey) return null
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const shift = event.shiftKey && event.key.length > 1 ? 'shift+' : ''
  return `${event.ctrlKey || event.metaKey ? 'mod+' : ''}${shift}${key}`
}

const maps: KeyMap[] = []

function dispatch(event: KeyboardEvent): void {
  if (event.defaultPrevented) return
  const name = nameOf(event)
  if (name === null) return
  // What stands nearer to what is done now was added later.
  for (const map of [...maps].reverse()) {
    const found = map[name]
    if (!found) continue
    const action = typeof found === 'function' ? { run: found } : found
    if (isTyping(event.target) && action.whileTyping !== true) continue
    if (isModal() && !(event.target instanceof Element && event.target.closest('[role="dialog"]'))) return
    event.preventDefault()
    action.run(event)
    return
  }
}

/** A dialog takes all keys. */
const isModal = () => document.querySelector('[aria-modal="true"]') !== null

export const watchKeys = () => addEventListener('keydown', dispatch)

/** Keys that work while a component is there, from the moment that it is seen: an effect would come a frame later. */
export function useKeys(map: KeyMap): void {
  const newest = useRef(map)
  newest.current = map
  useLayoutEffect(() => {
    // A map of its own, through which the newest actions are reached.
    const through = new Proxy<KeyMap>({}, { get: (_, name: string) => newest.current[name] })
    maps.push(through)
    return () => {
      maps.splice(maps.indexOf(through), 1)
    }
  }, [])
}
