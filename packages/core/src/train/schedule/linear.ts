import type { Course } from './course.js'

/** Falls evenly. Hugging Face's get_linear_schedule_with_warmup. */
export const linear: Course = (step, steps) => 1 - step / steps
