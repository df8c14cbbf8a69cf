/**
 * Text that every database stores unchanged: PostgreSQL refuses NUL, and drivers replace half a
 * surrogate pair.
 */
export const storable = (text: string): string =>
  text.replace(/[%\0\p{Surrogate}]/gu, (found) => `%${found.charCodeAt(0).toString(16)};`)

/** The text that was given to `storable`. */
export const restored = (text: string): string =>
  text.includes('%')
    ? text.replace(/%([0-9a-f]+);/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    : text
