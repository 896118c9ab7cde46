import './sheet.css'
import type { ComponentChildren } from 'preact'
import { createPortal } from 'preact'
import { useLayer } from './layer.js'

export interface SheetProps {
  readonly label: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** From the bottom of a phone, over what is there; traps focus. */
export function Sheet({ label, onClose, children }: SheetProps) {
  const layer = useLayer<HTMLDivElement>(onClose, { modal: true })
  return createPortal(
    <div class="sheet-veil" onClick={(event) => event.target === event.currentTarget && onClose()}>
      <div
        ref={layer}
        class="sheet"
        role="dialog"
        aria-modal="true"
        aria-label={label}
        tabIndex={-1}
        data-layer
      >
        <button type="button" class="sheet-grab" aria-label={label} onClick={onClose}>
          <span />
        </button>
        <div class="sheet-inside">{children}</div>
      </div>
    </div>,
    document.body,
  )
}
