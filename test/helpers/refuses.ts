import assert from 'node:assert/strict'
import type { LightMyRequestResponse } from 'fastify'

const statuses: Record<string, number | readonly number[]> = {
  FST_ERR_VALIDATION: 400,
  CRUDAUTH_BAD_REQUEST: 400,
  CRUDAUTH_EMAIL_INVALID: 400,
  CRUDAUTH_USERNAME_INVALID: 400,
  CRUDAUTH_PHONE_INVALID: 400,
  CRUDAUTH_PASSWORD_TOO_SHORT: 400,
  CRUDAUTH_PASSWORD_TOO_COMMON: 400,
  CRUDAUTH_PASSWORD_REJECTED: 400,
  CRUDAUTH_PASSWORD_EXISTS: 400,
  CRUDAUTH_NO_PASSWORD: 400,
  CRUDAUTH_PASSKEY_INVALID: 400,
  CRUDAUTH_SAME_EMAIL: 400,
  CRUDAUTH_LAST_SIGN_IN_METHOD: 409,
  CRUDAUTH_TOKEN_INVALID_OR_USED: 400,
  CRUDAUTH_OAUTH_INVALID_STATE: 400,
  CRUDAUTH_OAUTH_FAILED: 400,
  CRUDAUTH_OAUTH_EMAIL_MISSING: 400,
  CRUDAUTH_OAUTH_EMAIL_UNVERIFIED: 400,
  CRUDAUTH_OAUTH_PROVIDER_ALREADY_LINKED: 400,
  CRUDAUTH_OAUTH_LINKED_ELSEWHERE: 400,
  CRUDAUTH_OAUTH_ACCOUNT_INACTIVE: 400,
  CRUDAUTH_OAUTH_ACCESS_DENIED: 400,
  CRUDAUTH_UNAUTHENTICATED: 401,
  CRUDAUTH_BAD_CREDENTIALS: 401,
  CRUDAUTH_INVALID_TOKEN: 401,
  // 400 at /email/change-request, as in the Python library CRUDAuth.
  CRUDAUTH_WRONG_PASSWORD: [401, 400],
  CRUDAUTH_MFA_CODE: 401,
  CRUDAUTH_CSRF: 403,
  CRUDAUTH_CROSS_SITE: 403,
  CRUDAUTH_FORBIDDEN: 403,
  CRUDAUTH_INSUFFICIENT_SCOPE: 403,
  CRUDAUTH_NOT_VERIFIED: 403,
  CRUDAUTH_MFA_REQUIRED: 403,
  CRUDAUTH_SUDO_REQUIRED: 403,
  CRUDAUTH_FRESH_SIGN_IN_REQUIRED: 403,
  CRUDAUTH_NOT_FOUND: 404,
  CRUDAUTH_DUPLICATE: 409,
  CRUDAUTH_LOCKED_OUT: 429,
  CRUDAUTH_RATE_LIMITED: 429,
  CRUDAUTH_INTERNAL: 500,
  CRUDAUTH_CONFIG: 500,
  CRUDAUTH_UNAVAILABLE: 503,
  CRUDAUTH_OVERLOADED: 503,
}

/** Asserts an error response with this code and its status. It must contain none of `secrets`. */
export function refuses(
  response: LightMyRequestResponse,
  code: string,
  secrets: readonly string[] = [],
): void {
  const text = `${response.body} ${JSON.stringify(response.headers)}`
  assert.equal(response.json().code, code, text)
  assert.ok([statuses[code]].flat().includes(response.statusCode), text)
  for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret is in the response')
  if (response.statusCode === 429 || response.statusCode === 503) {
    assert.ok(Number(response.headers['retry-after']) >= 1, 'Retry-After is missing')
  }
}
