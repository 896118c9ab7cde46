import type { Course } from './course.js'

/** Stays at the peak. Hugging Face's get_constant_schedule_with_warmup. */
export const constant: Course = () => 1
