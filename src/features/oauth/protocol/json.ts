/** Matches strings (which stay unchanged) and numbers in a JSON text. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

const isInexact = (found: string): boolean =>
  /^-?\d{16,}$/.test(found) && !Number.isSafeInteger(Number(found))

/**
 * Like `JSON.parse`, but integers that a JavaScript number would round become strings. A rounded id
 * could be another user's.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const parsed: unknown = JSON.parse(text)
  if (!/\d{16}/.test(text)) return parsed
  // The text is valid JSON, so quotes are balanced and the pattern doesn't backtrack.
  return JSON.parse(text.replace(token, (found) => (isInexact(found) ? `"${found}"` : found)))
}

/** Whether it is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
