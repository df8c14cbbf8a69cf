/**
 * Whether every database can hold `text` as it is. PostgreSQL refuses NUL, some SQLite drivers cut the text off there
 * (`admin\0` would be stored, and found, as `admin`), and half of a surrogate pair becomes U+FFFD on its way.
 */
export const isStorableText = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text)
