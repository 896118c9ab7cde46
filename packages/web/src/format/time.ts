import { missing } from './numbers.js'

const two = (value: number) => String(value).padStart(2, '0')

/** Seconds as `0:51`, `3:36`; from an hour on `2 h 19`, from a day on `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return missing
  const all = Math.max(0, Math.round(seconds))
  const [minutes, hours] = [Math.floor(all / 60), Math.floor(all / 3600)]
  if (all < 3600) return `${minutes}:${two(all % 60)}`
  if (hours < 24) return `${hours} h ${two(minutes % 60)}`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** A time of day on this machine: `19:36`, with seconds `19:34:52`. */
export function clock(time: Date, seconds = false): string {
  const text = `${two(time.getHours())}:${two(time.getMinutes())}`
  return seconds ? `${text}:${two(time.getSeconds())}` : text
}

const sameDay = (a: Date, b: Date) => a.toDateString() === b.toDateString()

/** Hours of today, the day of the last months, and the date with its year before: what tells rows of a list apart. */
export function moment(time: Date, now: Date, language: 'en' | 'zh'): string {
  if (Number.isNaN(time.getTime())) return missing
  if (sameDay(time, now)) return clock(time)
  const recent = Math.abs(now.getTime() - time.getTime()) < 300 * 86_400_000
  return new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', {
    day: 'numeric',
    month: 'short',
    ...(!recent && { year: 'numeric' }),
  }).format(time)
}
