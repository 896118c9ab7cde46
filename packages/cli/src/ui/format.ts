/** 1234567 as 1.2M. */
export function compact(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)}G`
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k`
  return String(Math.round(value))
}

/** Bytes in binary units. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = value
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit ? size.toFixed(size < 10 ? 2 : 1) : size} ${units[unit]!}`
}

/** Seconds as 42s, 3m05s, 2h07m. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s}s`
  const pad = (value: number) => String(value).padStart(2, '0')
  return s < 3600
    ? `${Math.floor(s / 60)}m${pad(s % 60)}s`
    : `${Math.floor(s / 3600)}h${pad(Math.floor((s % 3600) / 60))}m`
}
