import './composer.css'
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Button } from '../../components/button.js'
import { text } from './text.js'

export interface ComposerProps {
  readonly value: string
  readonly onInput: (value: string) => void
  readonly placeholder: string
  readonly onSend: () => void
  /** Stops what is written; shown instead of Send while something is. */
  readonly onStop?: (() => void) | null
  /** Up in an empty field. */
  readonly onUp?: () => void
  readonly off?: boolean
  /** Left of the button. */
  readonly children?: ComponentChildren
}

/** Where messages are written. Enter sends, but not while an input method takes it; Shift and Enter begin a line. */
export function Composer({
  value,
  onInput,
  placeholder,
  onSend,
  onStop,
  onUp,
  off,
  children,
}: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const own = field.current!
    own.style.height = 'auto'
    own.style.height = `${Math.min(own.scrollHeight, 240)}px`
  }, [value])
  const isEmpty = value.trim() === ''
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isEmpty && !off) onSend()
      }}
    >
      <textarea
        ref={field}
        class="composer-field"
        rows={1}
        value={value}
        aria-label={placeholder}
        placeholder={placeholder}
        onInput={(event) => onInput((event.target as HTMLTextAreaElement).value)}
        onKeyDown={(event) => {
          // Safari ends a composition before it tells of the key that ended it, as 229.
          // eslint-disable-next-line @typescript-eslint/no-deprecated
          if (event.isComposing || event.keyCode === 229) return
          if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault()
            if (!isEmpty && !off) onSend()
          } else if (event.key === 'ArrowUp' && value === '' && onUp) {
            event.preventDefault()
            onUp()
          }
        }}
      />
      <div class="composer-foot">
        <div class="composer-notes">{children}</div>
        {onStop ? (
          <>
            <kbd aria-hidden="true">Esc</kbd>
            <Button kind="primary" icon="stop" onClick={onStop}>
              {text().stop}
            </Button>
          </>
        ) : (
          <Button kind="primary" icon="up" submit keys="↵" off={isEmpty || off ? '' : false}>
            {text().send}
          </Button>
        )}
      </div>
    </form>
  )
}
