import './menu.css'
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { IconButton } from './button.js'
import { Icon, type IconName } from './icon.js'
import { Popover } from './popover.js'

export interface MenuItem {
  readonly text: string
  readonly icon: IconName
  readonly run: () => void
  readonly destructive?: boolean
  readonly off?: boolean
}

/** A few actions behind an icon. */
export function Menu({
  label,
  icon = 'more',
  items,
  note,
}: {
  readonly label: string
  readonly icon?: IconName
  readonly items: readonly MenuItem[]
  readonly note?: ComponentChildren
}) {
  const button = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  return (
    <>
      <IconButton
        buttonRef={button}
        icon={icon}
        label={label}
        expanded={open}
        onClick={() => setOpen(!open)}
      />
      {open && (
        <Popover anchor={button.current!} label={label} right onClose={() => setOpen(false)}>
          <div class="menu">
            {items.map(({ text, icon: own, run, destructive, off }, i) => (
              <button
                key={text}
                type="button"
                class={`menu-item${destructive ? ' menu-destructive' : ''}`}
                data-first={i === 0 ? '' : undefined}
                aria-disabled={off ? true : undefined}
                onClick={() => {
                  if (off) return
                  setOpen(false)
                  run()
                }}
              >
                <Icon name={own} />
                {text}
              </button>
            ))}
            {note !== undefined && <p class="menu-note">{note}</p>}
          </div>
        </Popover>
      )}
    </>
  )
}
