interface Size {
  readonly width: number
  readonly height: number
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const gap = 6
const margin = 8

/**
 * Where something floats: below its anchor, above where there is more room, never over its line, never beyond the window. `room` is the
 * height that it may take.
 */
export function place(anchor: Box, own: Size, window: Size & { readonly right?: boolean }) {
  const below = window.height - anchor.bottom - gap - margin
  const above = anchor.top - gap - margin
  const isBelow = own.height <= below || below >= above
  const room = Math.max(80, isBelow ? below : above)
  const wanted = window.right ? anchor.right - own.width : anchor.left
  return {
    left: Math.max(margin, Math.min(wanted, window.width - own.width - margin)),
    top: isBelow ? anchor.bottom + gap : Math.max(margin, anchor.top - gap - Math.min(own.height, room)),
    room,
    isBelow,
  }
}
