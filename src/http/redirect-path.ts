const maxLength = 2048
/** A base URL whose origin shows whether a path leads elsewhere. */
const placeholderOrigin = 'http://placeholder.invalid'

/**
 * The same-origin path that `text` names, as a browser would go to it, or null for anything else. Judged after parsing, so
 * that no spelling (`//host`, `/\host`, `/.//host`, tabs within) leads to another origin.
 */
export function sameOriginPath(text: string): string | null {
  if (text.length > maxLength || !text.startsWith('/') || /[\p{C}\p{Surrogate}\\]/u.test(text))
    return null
  if (!URL.canParse(text, placeholderOrigin)) return null
  const url = new URL(text, placeholderOrigin)
  if (url.origin !== placeholderOrigin || url.pathname.startsWith('//')) return null
  const path = url.pathname + url.search + url.hash
  // Again after percent-encoding, which makes nine characters of some.
  return path.length > maxLength ? null : path
}

/** The path to go on at, where one was given that can be used; anything else is dropped. */
export function redirectTarget(text: unknown): string | undefined {
  return (typeof text === 'string' && sameOriginPath(text)) || undefined
}
