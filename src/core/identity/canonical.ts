import { domainToASCII } from 'node:url'
import {
  BadRequestError,
  EmailInvalidError,
  PhoneInvalidError,
  UsernameInvalidError,
} from '../../errors.js'

const maxEmailLength = 254 // RFC 5321, 4.5.3.1.3, less the angle brackets
const maxUsernameLength = 150
const maxFactorLength = 256

/** One atom of a local part: letters of any script, digits and the atext of RFC 5322, no quotes, no invisible characters. */
const localPart =
  /^[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"(),.:;<>@[\\\]]+(?:\.[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"(),.:;<>@[\\\]]+)*$/u
/** Of ASCII only what a host name has: `domainToASCII` parses as URLs do, drops line breaks, paths and queries, and decodes %. */
const domainInput = /^(?:[a-z0-9.-]|[^\0-\x7f\p{C}\p{Z}\p{Default_Ignorable_Code_Point}])+$/u
const domainName =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u
const phoneNumber = /^\+[1-9]\d{6,14}$/

function foldEmail(text: string): string | null {
  const folded = text.normalize('NFKC').trim().toLowerCase()
  const at = folded.indexOf('@')
  if (at < 1 || at !== folded.lastIndexOf('@')) return null
  const local = folded.slice(0, at)
  const typedDomain = folded.slice(at + 1)
  if (!domainInput.test(typedDomain)) return null
  const domain = domainToASCII(typedDomain)
  if (Buffer.byteLength(local) > 64 || !localPart.test(local) || !domainName.test(domain))
    return null
  const email = `${local}@${domain}`
  return email.length > maxEmailLength ? null : email
}

/**
 * The one spelling of an address under which it is checked, stored and mailed: trimmed, NFKC, lower case, domain in its
 * ASCII form (UTS 46); null for what is no address. An address whose folding is not stable is refused, since what is
 * checked would not be what is mailed.
 * @example
 * canonicalEmail(' Ann@EXAMPLE.com ') // 'ann@example.com'
 * canonicalEmail('no address') // null
 */
export function canonicalEmail(text: string): string | null {
  if (text.length > 2 * maxEmailLength) return null
  const email = foldEmail(text)
  return email !== null && foldEmail(email) === email ? email : null
}

/**
 * A username in NFC; null when it has no or invisible characters, or could be taken for an email.
 * @example
 * canonicalUsername('ann') // 'ann'
 * canonicalUsername('ann@example.com') // null
 */
export function canonicalUsername(text: string): string | null {
  const username = text.normalize('NFC')
  const length = [...username].length
  if (length < 1 || length > maxUsernameLength || invisible.test(username)) return null
  return username.normalize('NFKC').includes('@') ? null : username
}

/**
 * A phone number in E.164; null for anything else.
 * @example
 * canonicalPhone('+4915112345678') // '+4915112345678'
 * canonicalPhone('0151 12345678') // null
 */
export const canonicalPhone = (text: string): string | null =>
  phoneNumber.test(text) ? text : null

/** A value of a factor of the app's own: NFC, nothing invisible in it; its form is for the app's schema to say. */
function canonicalText(text: string): string | null {
  const value = text.normalize('NFC')
  return value === '' || value.length > maxFactorLength || invisible.test(value) ? null : value
}

/**
 * Canonical form of a login field's value, or null for an invalid one.
 * @param login logical names of the fields that log in, whose values must not be taken for an email or a phone number
 */
export function canonicalValue(
  login: readonly string[],
  field: string,
  text: string,
): string | null {
  if (field === 'email') return canonicalEmail(text)
  if (field === 'phone') return canonicalPhone(text)
  if (field !== 'username' && !login.includes(field)) return canonicalText(text)
  // A name in the form of a phone number would match a sign-in by that number.
  const isPhone = login.includes('phone') && canonicalPhone(text.normalize('NFKC').trim()) !== null
  return isPhone ? null : canonicalUsername(text)
}

/** The error of a value that `canonicalValue` refuses. */
export function malformedValue(field: string): Error {
  if (field === 'email') return new EmailInvalidError()
  if (field === 'username') return new UsernameInvalidError()
  if (field === 'phone') return new PhoneInvalidError()
  return new BadRequestError(`The ${field} is not valid`)
}

/** Form in which a stored value is looked up: laxer than registration, since an app's older usernames may be anything. */
export function lookupForm(field: string, text: string): string | null {
  if (field === 'email') return canonicalEmail(text)
  if (field === 'phone') return canonicalPhone(text)
  return text === '' || text.includes('\0') ? null : text.normalize('NFC')
}

/** What an identifier is tried as, in the order of the login fields; by its spelling alone, so that nothing is told. */
export function candidates(
  login: readonly string[],
  identifier: string,
): [field: string, value: string][] {
  return login.flatMap((field) => {
    const value = lookupForm(field, identifier)
    return value === null ? [] : [[field, value] as [string, string]]
  })
}
