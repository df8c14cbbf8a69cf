const capitalized = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/** `hashed_password` → `hashedPassword` */
export const camelCase = (name: string): string => {
  const [first = '', ...rest] = name.split('_').filter(Boolean)
  return first.charAt(0).toLowerCase() + first.slice(1) + rest.map(capitalized).join('')
}

/** A name for one row of a table: `accounts` → `Account`. */
export const modelName = (table: string): string =>
  capitalized(camelCase(table))
    .replace(/ies$/, 'y')
    .replace(/(ss|x|ch)es$/, '$1')
    .replace(/([^s])s$/, '$1')
