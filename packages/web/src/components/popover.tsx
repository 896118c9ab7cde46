import './popover.css'
import type { ComponentChildren } from 'preact'
import { createPortal } from 'preact'
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { isPhone } from '../app/width.js'
import { useLayer } from './layer.js'
import { place } from './place.js'
import { Sheet } from './sheet.js'

export interface PopoverProps {
  readonly anchor: Element
  readonly label: string
  readonly onClose: () => void
  /** As wide as the anchor at least. */
  readonly fit?: boolean
  /** At the right edge of the anchor. */
  readonly right?: boolean
  /** Opened without being asked for: focus stays where it is. */
  readonly still?: boolean
  readonly children: ComponentChildren
}

/** Floats below its anchor, or above where there is no room; a sheet on phones. */
export function Popover(props: PopoverProps) {
  return isPhone.value ? (
    <Sheet label={props.label} onClose={props.onClose}>
      {props.children}
    </Sheet>
  ) : (
    <Floating {...props} />
  )
}

function Floating({ anchor, label, onClose, fit, right, still = false, children }: PopoverProps) {
  const layer = useLayer<HTMLDivElement>(onClose, { still })
  const [where, setWhere] = useState<ReturnType<typeof place> | null>(null)
  const arrange = () => {
    const own = layer.current
    if (!own) return
    if (!anchor.isConnected) {
      onClose()
      return
    }
    const { width, height } = own.getBoundingClientRect()
    setWhere(
      place(
        anchor.getBoundingClientRect(),
        { width, height: Math.max(height, own.scrollHeight) },
        {
          ...{ width: innerWidth, height: innerHeight },
          right: right ?? false,
        },
      ),
    )
  }
  useLayoutEffect(arrange, [anchor])
  useEffect(() => {
    const onPointer = (event: PointerEvent) => {
      const target = event.target as Element
      if (!layer.current?.contains(target) && !anchor.contains(target) && !target.closest('[data-layer]'))
        onClose()
    }
    document.addEventListener('pointerdown', onPointer)
    addEventListener('resize', arrange)
    document.addEventListener('scroll', arrange, true)
    return () => {
      document.removeEventListener('pointerdown', onPointer)
      removeEventListener('resize', arrange)
      document.removeEventListener('scroll', arrange, true)
    }
  }, [anchor])
  return createPortal(
    <div
      ref={layer}
      class="popover"
      role="dialog"
      aria-label={label}
      tabIndex={-1}
      data-layer
      style={{
        ...(where
          ? { left: `${where.left}px`, top: `${where.top}px`, maxHeight: `${where.room}px` }
          : // Not hidden: what is in it takes the focus before it has its place.
            { left: '0', top: '0', opacity: 0 }),
        ...(fit && { minWidth: `${anchor.getBoundingClientRect().width}px` }),
      }}
    >
      {children}
    </div>,
    document.body,
  )
}
