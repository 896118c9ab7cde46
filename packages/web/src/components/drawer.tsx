import './drawer.css'
import type { ComponentChildren } from 'preact'
import { useLayer } from './layer.js'
import { isNarrow, isPhone } from '../app/width.js'
import { Sheet } from './sheet.js'

export interface DrawerProps {
  readonly label: string
  readonly open: boolean
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** The column at the right: beside the content from 1024 pixels on, over it below, a sheet on phones. */
export function Drawer({ label, open, onClose, children }: DrawerProps) {
  if (!open) return null
  if (isPhone.value)
    return (
      <Sheet label={label} onClose={onClose}>
        {children}
      </Sheet>
    )
  if (isNarrow.value)
    return (
      <Over label={label} onClose={onClose}>
        {children}
      </Over>
    )
  return (
    <aside class="drawer" aria-label={label}>
      {children}
    </aside>
  )
}

function Over({ label, onClose, children }: Omit<DrawerProps, 'open'>) {
  const layer = useLayer<HTMLElement>(onClose)
  return (
    <aside ref={layer} class="drawer drawer-over" aria-label={label} tabIndex={-1} data-layer>
      {children}
    </aside>
  )
}
