/** Calls the API. Scripts can't read the session cookie. The CSRF token is read from its cookie. */

/** An error response, with its stable code. */
export class ApiError extends Error {
  constructor(status, body, retryAfterSeconds) {
    super(body.message ?? `The server answered ${status}`)
    this.status = status
    this.code = body.code ?? `HTTP_${status}`
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Reads the CSRF token, or null if not signed in. Another tab may have changed the cookie. */
export function csrfToken() {
  const [, token = null] = /(?:^|; )csrf_token=([^;]+)/.exec(document.cookie) ?? []
  return token
}

/** Deletes the readable cookie of an ended session. Without it, the page sends no request. */
export function forgetCsrfToken(token) {
  // Another tab may have signed in meanwhile.
  if (token !== csrfToken()) return
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
  document.cookie = 'csrf_token=; Path=/; Max-Age=0'
}

async function send(method, url, body) {
  const headers = { accept: 'application/json' }
  const token = csrfToken()
  if (token !== null && method !== 'GET') headers['x-csrf-token'] = token
  // `fetch` sets the content type of URLSearchParams.
  const isJson = body !== undefined && !(body instanceof URLSearchParams)
  if (isJson) headers['content-type'] = 'application/json'

  let response
  try {
    response = await fetch(url, { method, headers, body: isJson ? JSON.stringify(body) : body })
  } catch {
    throw new ApiError(0, { code: 'OFFLINE', message: 'The server cannot be reached' })
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok)
    throw new ApiError(response.status, answer, Number(response.headers.get('retry-after')) || null)
  return answer
}

/** Sends a request and returns the response body. @throws ApiError */
export async function call(method, url, body) {
  try {
    return await send(method, url, body)
  } catch (error) {
    if (error.code !== 'CRUDAUTH_CSRF') throw error
    // The readable cookie is missing or stale. Get a new token for the session and retry once.
    await send('POST', '/auth/csrf/refresh')
    return send(method, url, body)
  }
}
