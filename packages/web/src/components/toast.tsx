import './toast.css'
import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { IconButton } from './button.js'
import { Icon } from './icon.js'

const text = words({ en: { close: 'Close' }, zh: { close: '关闭' } })

interface Toast {
  readonly id: number
  readonly text: string
  readonly action?: { readonly text: string; readonly run: () => void }
}

const shown = signal<readonly Toast[]>([])
let count = 0

/** The result of one's own action, for 6 s; three at most. A failure is said in its place, not here. */
export function toast(line: string, { action }: Pick<Toast, 'action'> = {}): void {
  shown.value = [...shown.value, { id: count++, text: line, ...(action && { action }) }].slice(-3)
}

const close = (id: number) => (shown.value = shown.value.filter((one) => one.id !== id))

/** Where toasts are; once in the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map((one) => (
        <Shown key={one.id} {...one} />
      ))}
    </div>
  )
}

function Shown({ id, text: line, action }: Toast) {
  const [isHeld, setHeld] = useState(false)
  useEffect(() => {
    if (isHeld) return
    const timer = setTimeout(() => close(id), 6000)
    return () => clearTimeout(timer)
  }, [isHeld])
  return (
    <div
      class="toast"
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocusIn={() => setHeld(true)}
      onFocusOut={() => setHeld(false)}
    >
      <Icon name="check" />
      <span class="toast-text">{line}</span>
      {action && (
        <button
          type="button"
          class="toast-action"
          onClick={() => {
            close(id)
            action.run()
          }}
        >
          {action.text}
        </button>
      )}
      <IconButton icon="close" label={text().close} onClick={() => close(id)} />
    </div>
  )
}
