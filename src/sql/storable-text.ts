/**
 * Whether every database can store `text` unchanged. PostgreSQL rejects NUL. Some SQLite drivers
 * truncate the text there, so `admin\0` would be stored, and found, as `admin`. A lone surrogate
 * becomes U+FFFD.
 */
export const isStorableText = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text)
