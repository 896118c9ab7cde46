import './button.css'
import type { ComponentChildren, Ref } from 'preact'
import { Icon, type IconName } from './icon.js'

export interface ButtonProps {
  readonly kind?: 'primary' | 'secondary' | 'quiet' | 'destructive'
  readonly small?: boolean
  readonly icon?: IconName
  /** What it is doing ("Saving"), while it does. */
  readonly busy?: string | false | undefined
  /** Why it is off; an empty text where the reason stands beside it anyway. */
  readonly off?: string | false | undefined
  /** A link in the form of a button. */
  readonly href?: string
  /** The key that does the same, shown. */
  readonly keys?: string
  readonly submit?: boolean
  readonly pressed?: boolean
  readonly label?: string
  readonly buttonRef?: Ref<HTMLButtonElement>
  readonly onClick?: (event: MouseEvent) => void
  readonly children?: ComponentChildren
}

export function Button(props: ButtonProps) {
  const {
    kind = 'secondary',
    small,
    icon,
    busy,
    off,
    href,
    keys,
    submit,
    pressed,
    label,
    buttonRef,
    onClick,
    children,
  } = props
  const isOff = off !== undefined && off !== false
  const names = [
    'button',
    `button-${kind}`,
    small && 'button-small',
    isOff && 'button-off',
    busy && 'button-busy',
  ]
  const className = names.filter(Boolean).join(' ')
  const inside = (
    <>
      {busy ? <Icon name="ring" /> : icon && <Icon name={icon} />}
      <span class="button-text">{busy || children}</span>
      {keys && (
        <span class="button-key" aria-hidden="true">
          {keys}
        </span>
      )}
    </>
  )
  if (href !== undefined && !isOff)
    return (
      <a class={className} href={href} aria-label={label} onClick={onClick}>
        {inside}
      </a>
    )
  return (
    <button
      ref={buttonRef}
      type={submit ? 'submit' : 'button'}
      class={className}
      aria-disabled={isOff || busy ? true : undefined}
      aria-pressed={pressed}
      aria-busy={busy ? true : undefined}
      aria-label={label}
      title={isOff && off !== '' ? off : undefined}
      onClick={(event) => {
        if (isOff || busy) event.preventDefault()
        else onClick?.(event)
      }}
    >
      {inside}
    </button>
  )
}

export interface IconButtonProps {
  readonly icon: IconName
  /** Its name, shown as the tooltip. */
  readonly label: string
  /** The key that does the same, in the tooltip. */
  readonly keys?: string
  readonly pressed?: boolean
  readonly expanded?: boolean
  readonly off?: boolean
  readonly edge?: boolean
  readonly buttonRef?: Ref<HTMLButtonElement>
  readonly onClick?: (event: MouseEvent) => void
}

export function IconButton({
  icon,
  label,
  keys,
  pressed,
  expanded,
  off,
  edge,
  buttonRef,
  onClick,
}: IconButtonProps) {
  return (
    <button
      ref={buttonRef}
      type="button"
      class={`icon-button${edge ? ' icon-button-edge' : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      aria-disabled={off ? true : undefined}
      title={keys === undefined ? label : `${label} (${keys})`}
      onClick={(event) => {
        if (!off) onClick?.(event)
      }}
    >
      <Icon name={icon} />
    </button>
  )
}
