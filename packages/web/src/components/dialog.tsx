import './dialog.css'
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { createPortal } from 'preact'
import { useId } from 'preact/hooks'
import { words } from '../app/language.js'
import { Button, IconButton, type ButtonProps } from './button.js'
import { useLayer } from './layer.js'

const text = words({ en: { close: 'Close' }, zh: { close: '关闭' } })

export interface DialogProps {
  /** A question where something is asked. */
  readonly title: string
  readonly onClose: () => void
  readonly wide?: boolean
  /** With a cross: what is shown asks nothing. */
  readonly closable?: boolean
  readonly children?: ComponentChildren
  /** Verb buttons, the one that stays first. */
  readonly actions?: ComponentChildren
}

export function Dialog({ title, onClose, wide, closable, children, actions }: DialogProps) {
  const layer = useLayer<HTMLDivElement>(onClose, { modal: true })
  const id = useId()
  return createPortal(
    <div class="dialog-veil" onClick={(event) => event.target === event.currentTarget && onClose()}>
      <div
        ref={layer}
        class={`dialog${wide ? ' dialog-wide' : ''}`}
        role="dialog"
        aria-modal="true"
        aria-labelledby={id}
        tabIndex={-1}
        data-layer
      >
        <header class="dialog-head">
          <h2 id={id} class="dialog-title">
            {title}
          </h2>
          {closable && <IconButton icon="close" label={text().close} onClick={onClose} />}
        </header>
        <div class="dialog-body">{children}</div>
        {actions !== undefined && <footer class="dialog-actions">{actions}</footer>}
      </div>
    </div>,
    document.body,
  )
}

export interface Question {
  readonly title: string
  /** What it does, and to how much. */
  readonly text: ComponentChildren
  /** What leaves all as it is. */
  readonly cancel: string
  readonly actions: readonly {
    readonly text: string
    readonly kind?: ButtonProps['kind']
    readonly icon?: ButtonProps['icon']
    readonly run: () => void
  }[]
}

const asked = signal<Question | null>(null)

/** Asks before what cannot be undone, or ends work. */
export const ask = (question: Question): void => {
  asked.value = question
}

/** Where `ask` asks; once in the page. */
export function Questions() {
  const question = asked.value
  if (!question) return null
  const close = () => (asked.value = null)
  return (
    <Dialog
      title={question.title}
      onClose={close}
      actions={
        <>
          <Button kind="quiet" onClick={close}>
            {question.cancel}
          </Button>
          {question.actions.map(({ text: verb, kind = 'primary', icon, run }) => (
            <Button
              key={verb}
              kind={kind}
              {...(icon && { icon })}
              onClick={() => {
                close()
                run()
              }}
            >
              {verb}
            </Button>
          ))}
        </>
      }
    >
      {question.text}
    </Dialog>
  )
}
