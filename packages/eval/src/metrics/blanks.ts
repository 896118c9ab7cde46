/** Blanks as Python's `str.split` knows them: with the separators of ASCII and the next line, without the byte order mark. */
export const blanks = /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u
