/**
 * Whether bcrypt, PBKDF2 and scrypt tell the password from any other. They pad the password with
 * NUL or repeat it with a NUL in between, so a password with NUL would have the hash of another
 * one. The new hash must not be of that text.
 */
export const isExact = (password: string): boolean => password !== '' && !password.includes('\0')
