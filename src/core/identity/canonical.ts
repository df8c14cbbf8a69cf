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

/**
 * The local part, without quotes or invisible characters. Each atom has letters of any script,
 * digits and the atext of RFC 5322.
 */
const localPart =
  /^[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"(),.:;<>@[\\\]]+(?:\.[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"(),.:;<>@[\\\]]+)*$/u
/**
 * ASCII is limited to host name characters: `domainToASCII` parses like a URL, so it drops line
 * breaks, paths and queries and decodes percent-encoding.
 */
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
 * The canonical form of an email address: trimmed, NFKC, lower case, with the domain in ASCII (UTS
 * 46). Returns null for an invalid address. The address is checked, stored and mailed in this form.
 * Addresses that change when folded again are refused: the address that was checked would not be
 * the one that is mailed.
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
 * The canonical form of a username: NFC. Returns null if it is empty or too long, has invisible
 * characters, or could be mistaken for an email address.
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

/**
 * A value of a field that the app defined: NFC, without invisible characters. The app's schema
 * checks its format.
 */
function canonicalText(text: string): string | null {
  const value = text.normalize('NFC')
  return value === '' || value.length > maxFactorLength || invisible.test(value) ? null : value
}

/**
 * Canonical form of a login field's value, or null for an invalid one.
 * @param login logical names of the login fields. Except in `email` and `phone`, their values must
 * not look like an email address or a phone number
 */
export function canonicalValue(
  login: readonly string[],
  field: string,
  text: string,
): string | null {
  if (field === 'email') return canonicalEmail(text)
  if (field === 'phone') return canonicalPhone(text)
  if (field !== 'username' && !login.includes(field)) return canonicalText(text)
  // A username that looks like a phone number would match a sign-in by that number.
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

/**
 * The form in which a stored value is looked up. Less strict than registration, because an app's
 * existing usernames may have any format.
 */
export function lookupForm(field: string, text: string): string | null {
  if (field === 'email') return canonicalEmail(text)
  if (field === 'phone') return canonicalPhone(text)
  return text === '' || text.includes('\0') ? null : text.normalize('NFC')
}

/**
 * The fields and values to look an identifier up by, in the order of the login fields. They depend
 * only on its spelling, which prevents user enumeration.
 */
export function candidates(
  login: readonly string[],
  identifier: string,
): [field: string, value: string][] {
  return login.flatMap((field) => {
    const value = lookupForm(field, identifier)
    return value === null ? [] : [[field, value] as [string, string]]
  })
}
