import { checkBoolean, checkObject, describe, fail } from '../lib/option-checks.js'
import type { CookieOptions, CookiePolicy } from './cookies.js'

const names = {
  session: 'crudauth_session',
  csrf: 'csrf_token',
  device: 'crudauth_device',
  refresh: 'crudauth_refresh',
  oauth: 'crudauth_oauth',
  mfa: 'crudauth_mfa',
} as const
const token = /^[\w!#$%&'*+.^`|~-]+$/ // RFC 6265, cookie-name

/** Policy and base names of the cookies. */
export interface ResolvedCookies {
  readonly policy: CookiePolicy
  readonly names: Readonly<Record<keyof typeof names, string>>
}

function checkText(name: string, value: unknown, form: RegExp, example: string): string {
  if (typeof value !== 'string' || !form.test(value)) {
    fail(
      `"${name}" must be like "${example}", without ";", quotes, spaces or line breaks; got ${describe(value)}`,
    )
  }
  return value
}

/** Members that are set: an `undefined` in one layer must not hide the value of another. */
const defined = (layer: object | undefined): object =>
  Object.fromEntries(Object.entries(layer ?? {}).filter(([, value]) => value !== undefined))

/**
 * Checks and merges cookie options.
 * @param layers later layers take precedence, member by member
 */
export function resolveCookies(
  option: string,
  ...layers: (CookieOptions | undefined)[]
): ResolvedCookies {
  for (const layer of layers) {
    if (layer === undefined) continue
    checkObject(option, layer, ['secure', 'sameSite', 'path', 'domain', 'names'])
    if (layer.names !== undefined) checkObject(`${option}.names`, layer.names, Object.keys(names))
  }
  const merged: CookieOptions = Object.assign({}, ...layers.map(defined))
  const given: Record<string, unknown> = Object.assign(
    {},
    ...layers.map((layer) => defined(layer?.names)),
  )
  const sameSite = merged.sameSite ?? 'lax'
  if (!['lax', 'strict', 'none'].includes(sameSite))
    fail(`"${option}.sameSite" must be "lax" or "strict", got ${describe(sameSite)}`)
  const secure = checkBoolean(`${option}.secure`, merged.secure, true)
  const resolved = Object.fromEntries(
    Object.entries(names).map(([key, fallback]) => {
      const name = checkText(`${option}.names.${key}`, given[key] ?? fallback, token, fallback)
      // The name of the CSRF cookie is used as given: it never gets a prefix.
      if (key !== 'csrf' && /^__(?:host|secure)-/i.test(name))
        fail(`"${option}.names.${key}" gets its prefix automatically; remove "__Host-"`)
      return [key, name]
    }),
  ) as Record<keyof typeof names, string>
  if (new Set(Object.values(resolved)).size !== Object.keys(names).length)
    fail(`"${option}.names" must differ from each other`)
  return {
    policy: {
      secure,
      sameSite,
      path: checkText(`${option}.path`, merged.path ?? '/', /^\/[\w.~!$&'()*+,=:@%/-]*$/, '/'),
      domain:
        merged.domain === undefined
          ? undefined
          : checkText(`${option}.domain`, merged.domain, /^\.?[a-z0-9.-]+$/i, 'example.com'),
    },
    names: resolved,
  }
}
