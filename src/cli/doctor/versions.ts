/** Whether a version is at least another one. Ignores what follows the numbers. */
export function isAtLeast(version: string, floor: string): boolean {
  const numbers = (text: string) => (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '0').split('.').map(Number)
  const [own, least] = [numbers(version), numbers(floor)]
  for (let at = 0; at < least.length; at++) {
    const difference = (own[at] ?? 0) - (least[at] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}
