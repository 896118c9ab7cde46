import type { Course } from './course.js'

/** Falls along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983). Hugging Face's get_cosine_schedule_with_warmup. */
export const cosine: Course = (step, steps) => (1 + Math.cos((Math.PI * step) / steps)) / 2
