const maxLength = 2048
/** Base URL for parsing. A path that resolves to another origin is an open redirect. */
const placeholderOrigin = 'http://placeholder.invalid'

/**
 * The same-origin path in `text`, normalized as in browsers. Null for any other text. Prevents open
 * redirects: the check comes after parsing, so `//host`, `/\host`, `/.//host` and tabs don't pass.
 */
export function sameOriginPath(text: string): string | null {
  if (text.length > maxLength || !text.startsWith('/') || /[\p{C}\p{Surrogate}\\]/u.test(text))
    return null
  if (!URL.canParse(text, placeholderOrigin)) return null
  const url = new URL(text, placeholderOrigin)
  if (url.origin !== placeholderOrigin || url.pathname.startsWith('//')) return null
  const path = url.pathname + url.search + url.hash
  // Percent-encoding can turn one character into nine, so check the length again.
  return path.length > maxLength ? null : path
}

/** The same-origin path to redirect to, if the input is one. Any other input is ignored. */
export function redirectTarget(text: unknown): string | undefined {
  return (typeof text === 'string' && sameOriginPath(text)) || undefined
}
