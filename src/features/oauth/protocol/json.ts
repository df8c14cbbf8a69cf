/** A JSON text's strings (which are left alone) and numbers. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

const isInexact = (found: string): boolean =>
  /^-?\d{16,}$/.test(found) && !Number.isSafeInteger(Number(found))

/**
 * `JSON.parse`, but whole numbers that a JavaScript number would round become text: an id off by one is somebody else's.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const parsed: unknown = JSON.parse(text)
  if (!/\d{16}/.test(text)) return parsed
  // Valid JSON by now, so every quote has its partner and the pattern never has to look twice.
  return JSON.parse(text.replace(token, (found) => (isInexact(found) ? `"${found}"` : found)))
}

/** Whether it is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
