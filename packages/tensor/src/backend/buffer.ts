declare const brand: unique symbol

/** Opaque id of a device buffer. The backend checks id and length at every call: a wrong call is an IftError. */
export type Buf = number & { readonly [brand]: 'Buf' }

/** `0` overwrites the output, `1` adds to it. */
export type Accumulate = 0 | 1
